//! A Prometheus query that gives one number, by its HTTP API (`/api/v1/query`), which others speak, too.

use reqwest::{Client, Response, Url};
use serde::Deserialize;
use serde_json::Value;
use tidegate_protocol::identity::Member;

use super::{Finding, quoted};
use crate::checks::address::filled;
use crate::web::{cause, shown};

/// One number takes less; larger answers are not read on.
const ANSWER_MAX: usize = 1 << 20;

/// Where the number must lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) at_least: Option<f64>,
    pub(super) at_most: Option<f64>,
}

/// Only a number is a finding about the version.
pub(super) async fn look(client: &Client, url: &str, query: &str, member: Member, bounds: Bounds) -> Finding {
    let address = shown(url);
    match ask(client, &filled(url, member), &filled(query, member)).await {
        Ok(number) => bounds.hold(number),
        Err(reason) => Finding::Unknown(format!("{address} {reason}")),
    }
}

impl Bounds {
    fn hold(&self, number: f64) -> Finding {
        if number.is_nan() {
            return Finding::Unknown("the query gives NaN: there is nothing to measure yet".to_owned());
        }
        match (self.at_least, self.at_most) {
            (Some(least), _) if number < least => {
                Finding::Bad(format!("the query gives {number}, which is below {least}"))
            }
            (_, Some(most)) if number > most => {
                Finding::Bad(format!("the query gives {number}, which is above {most}"))
            }
            (_, _) => Finding::Good,
        }
    }
}

async fn ask(client: &Client, url: &str, query: &str) -> Result<f64, String> {
    let address = format!("{}/api/v1/query", url.trim_end_matches('/'));
    let mut address = Url::parse(&address).map_err(|error| format!("is no address ({error}); mend it"))?;
    address.query_pairs_mut().append_pair("query", query);
    let unreachable = |error: reqwest::Error| {
        format!("cannot be asked ({}); check the address, and that it answers there", cause(&error))
    };
    let response = client.get(address).send().await.map_err(unreachable)?;
    let status = response.status().as_u16();
    let body = read(response).await.map_err(unreachable)?;
    let Some(body) = body else {
        return Err(format!(
            "answers more than {ANSWER_MAX} bytes; let the query give one number, such as max(…)"
        ));
    };
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| {
        format!("answers {status} and not as Prometheus does; check that the address is the one of its API")
    })?;
    if let (Some(kind), Some(error)) = (&answer.error_type, &answer.error) {
        return Err(format!("answers {status}, {}: {}; mend the query", quoted(kind), quoted(error)));
    }
    number(answer.data)
}

async fn read(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    data: Data,
    error_type: Option<String>,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(default)]
    result_type: String,
    #[serde(default)]
    result: Value,
}

/// Of a scalar, or of the one element of a vector.
fn number(data: Data) -> Result<f64, String> {
    let sample = match (data.result_type.as_str(), data.result) {
        ("scalar", sample) => sample,
        ("vector", Value::Array(elements)) => match elements.as_slice() {
            [] => return Err("has nothing for the query yet; check its names and labels".to_owned()),
            [element] => element["value"].clone(),
            several => {
                let count = several.len();
                return Err(format!("gives {count} numbers; let the query give one, such as max(…)"));
            }
        },
        (kind, _) => {
            return Err(format!(
                "gives a result of the type {}; let the query give one number",
                quoted(kind)
            ));
        }
    };
    // A time and the number, as a text: JSON has no NaN.
    let value = sample.get(1).and_then(Value::as_str).and_then(|text| text.parse().ok());
    value.ok_or_else(|| "gives a number that cannot be read; check that it is Prometheus".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(json: &str) -> Result<f64, String> {
        number(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn one_number_is_read() {
        let read = |text: &str| data(&format!(r#"{{"resultType": "scalar", "result": [1.5, "{text}"]}}"#));
        assert_eq!(read("0.25"), Ok(0.25));
        assert_eq!(read("1e-3"), Ok(0.001));
        assert_eq!(read("+Inf"), Ok(f64::INFINITY));
        assert_eq!(read("-Inf"), Ok(f64::NEG_INFINITY));
        assert!(read("NaN").unwrap().is_nan());
        let vector = r#"{"resultType": "vector", "result": [{"metric": {}, "value": [1.5, "7"]}]}"#;
        assert_eq!(data(vector), Ok(7.0));
    }

    #[test]
    fn anything_else_is_none() {
        for (json, words) in [
            (r#"{"resultType": "vector", "result": []}"#, "has nothing"),
            (
                r#"{"resultType": "vector", "result": [{"value": [1, "1"]}, {"value": [1, "2"]}]}"#,
                "gives 2 numbers",
            ),
            (r#"{"resultType": "matrix", "result": []}"#, "\"matrix\""),
            (r#"{"resultType": "scalar", "result": [1, 2]}"#, "cannot be read"),
            ("{}", "the type \"\""),
        ] {
            let error = data(json).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn bounds_are_good_themselves_and_nan_is_no_number() {
        let bounds = Bounds { at_least: Some(1.0), at_most: Some(2.0) };
        assert_eq!(bounds.hold(1.0), Finding::Good);
        assert_eq!(bounds.hold(2.0), Finding::Good);
        assert_eq!(bounds.hold(0.5), Finding::Bad("the query gives 0.5, which is below 1".to_owned()));
        assert_eq!(
            bounds.hold(f64::INFINITY),
            Finding::Bad("the query gives inf, which is above 2".to_owned())
        );
        assert!(matches!(bounds.hold(f64::NAN), Finding::Unknown(_)));
    }
}
