use super::*;

#[test]
fn an_event_time_is_milliseconds_or_an_infinity_by_name() {
    for (time, text) in
        [(EventTime::from_millis(-5), "-5"), (EventTime::MIN, "\"-inf\""), (EventTime::MAX, "\"+inf\"")]
    {
        assert_eq!(serde_json::to_string(&Time(time)).unwrap(), text);
        assert_eq!(serde_json::from_str::<Time>(text).unwrap().0, time);
    }
    for bad in ["\"inf\"", "1.5", "null", "9223372036854775808"] {
        assert!(serde_json::from_str::<Time>(bad).is_err(), "{bad}");
    }
}
