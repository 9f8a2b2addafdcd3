//! The requests, each with a deadline, in the ways that the account's rights leave open.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::ready;
use futures_util::stream::{self, BoxStream};
use k8s_openapi::api::authorization::v1::{ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Event};
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use serde_json::Value;
use tidegate_store::{Error, Notice, Object, Slot, Version};

use crate::content::{self, Written};
use crate::error::{self, CALL, Call};
use crate::place::Place;

/// How long the server keeps a watch open. A connection that died without a word is noticed after it.
pub(crate) const WATCH: Duration = Duration::from_secs(60);

/// The name under which Kubernetes records who wrote what.
const MANAGER: &str = "tidegate";

pub(crate) type Events = BoxStream<'static, kube::Result<WatchEvent<PartialObjectMeta<ConfigMap>>>>;

pub(crate) struct Reach {
    pub(crate) place: Place,
    client: Client,
    api: Api<ConfigMap>,
    /// The account may not list by labels, but has rights on names.
    by_name: AtomicBool,
}

impl Reach {
    pub(crate) fn new(place: Place, client: Client) -> Reach {
        let api = Api::namespaced(client.clone(), place.namespace());
        Reach { place, client, api, by_name: AtomicBool::new(false) }
    }

    /// Whether everything goes by names.
    pub(crate) fn is_by_name(&self) -> bool {
        self.by_name.load(Ordering::Relaxed)
    }

    /// Without a resource version: a quorum's answer.
    pub(crate) async fn get(&self, object: &Object) -> Result<Option<ConfigMap>, Error> {
        self.get_by_name(&self.place.config_map(object)).await
    }

    async fn get_by_name(&self, name: &str) -> Result<Option<ConfigMap>, Error> {
        let found = self.reading(Call::new("get", name), self.api.get_opt(name)).await?;
        let other = found.as_ref().and_then(|found| self.place.other_rollout(&found.metadata));
        other.map_or(Ok(()), |other| Err(error::of_another(&self.place, name, other)))?;
        Ok(found)
    }

    pub(crate) async fn create(&self, object: &Object, new: &ConfigMap) -> Result<Version, Error> {
        let call = Call::new("create", &self.place.config_map(object));
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let answer = self.writing(&call, object, None, self.api.create(&parameters, new)).await?;
        self.version(Written::of(&answer.metadata), object)
    }

    /// A patch that is bound to a version. `expected`: what the caller expected, for the message.
    pub(crate) async fn replace(
        &self,
        object: &Object,
        expected: Option<&Version>,
        patch: Value,
    ) -> Result<Version, Error> {
        let name = self.place.config_map(object);
        let patch = Patch::Merge(patch);
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let call = Call::new("patch", &name);
        let request = self.api.patch_metadata(&name, &parameters, &patch);
        let answer = self.writing(&call, object, expected, request).await?;
        self.version(Written::of(&answer.metadata), object)
    }

    /// An event on the request, which `kubectl describe` shows. Without a request there is nothing to describe.
    pub(crate) async fn announce(&self, notice: &Notice) -> Result<(), Error> {
        let Some(request) = self.get(&Object::Request).await? else { return Ok(()) };
        let event = content::event(&self.place, &request.metadata, notice);
        let api: Api<Event> = Api::namespaced(self.client.clone(), self.place.namespace());
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        self.reading(Call::on("events", "create", ""), api.create(&parameters, &event)).await.map(drop)
    }

    pub(crate) async fn reports(&self) -> Result<Vec<Slot>, Error> {
        let mut slots = self.either_way(self.reports_by_label(), self.reports_by_name()).await?;
        slots.sort();
        Ok(slots)
    }

    /// Opens what tells of changes: it begins with what is there now.
    pub(crate) async fn events(&self) -> Result<Events, Error> {
        self.either_way(self.events_by_label(), self.events_by_name()).await
    }

    /// What is denied for labels may be granted for names; where it is not, the denial tells what to grant.
    async fn either_way<T>(
        &self,
        by_label: impl Future<Output = Result<T, Error>>,
        by_name: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let by_name = async {
            let found = by_name.await?;
            Ok(self.is_by_name().then_some(found))
        };
        if self.is_by_name() {
            return by_name.await?.ok_or_else(|| error::other_rights(&self.place));
        }
        match by_label.await {
            Err(denied @ Error::Denied { .. }) => by_name.await?.ok_or(denied),
            done => done,
        }
    }

    async fn reports_by_label(&self) -> Result<Vec<Slot>, Error> {
        let parameters = ListParams::default().labels(&self.place.label_selector());
        let list = self.reading(Call::new("list", ""), self.api.list(&parameters)).await?;
        Ok(list.items.into_iter().filter_map(|found| self.report(found)).collect())
    }

    async fn reports_by_name(&self) -> Result<Vec<Slot>, Error> {
        let mut slots = Vec::new();
        for name in self.granted("get").await? {
            if self.place.slot(&name).is_some() {
                let found = self.get_by_name(&name).await?;
                slots.extend(found.and_then(|found| self.report(found)));
            }
        }
        Ok(slots)
    }

    /// The slot, if there is a report in it.
    fn report(&self, found: ConfigMap) -> Option<Slot> {
        let slot = self.place.slot(found.metadata.name.as_deref()?)?;
        content::bytes(found, &Object::Report(slot.clone())).map(|_| slot)
    }

    async fn events_by_label(&self) -> Result<Events, Error> {
        let labelled = self.watch(WatchParams::default().labels(&self.place.label_selector())).await?;
        // People create it, and know nothing of labels.
        let request = self.watch(by_name(&self.place.config_map(&Object::Request))).await?;
        Ok(until_one_ends(vec![labelled, request]))
    }

    async fn events_by_name(&self) -> Result<Events, Error> {
        let mut streams = Vec::new();
        for name in self.granted("watch").await? {
            streams.push(self.watch(by_name(&name)).await?);
        }
        Ok(until_one_ends(streams))
    }

    async fn watch(&self, parameters: WatchParams) -> Result<Events, Error> {
        let parameters = WatchParams { bookmarks: false, ..parameters.timeout(WATCH.as_secs() as u32) };
        let request = self.api.watch_metadata(&parameters, "");
        Ok(self.reading(Call::new("watch", ""), request).await?.boxed())
    }

    /// The rollout's ConfigMaps on which the account has that right by name.
    async fn granted(&self, verb: &'static str) -> Result<Vec<String>, Error> {
        let spec = SelfSubjectRulesReviewSpec { namespace: Some(self.place.namespace().to_owned()) };
        let review = SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() };
        let api: Api<SelfSubjectRulesReview> = Api::all(self.client.clone());
        let parameters = PostParams::default();
        let answer = self.reading(Call::new("list", ""), api.create(&parameters, &review)).await?;
        let rules = answer.status.unwrap_or_default().resource_rules;
        let named = |verb| named(&rules, verb, |name| self.place.owns(name));
        self.by_name.store(!named("get").is_empty(), Ordering::Relaxed);
        Ok(named(verb))
    }

    async fn reading<T>(
        &self,
        call: Call,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(CALL, request).await {
            Ok(answer) => answer.map_err(|error| error::reading(&self.place, &call, error)),
            Err(_) => Err(error::unreachable(&self.place, &call, None)),
        }
    }

    async fn writing<T>(
        &self,
        call: &Call,
        object: &Object,
        expected: Option<&Version>,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(CALL, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if has_lost(&status) => Err(Error::Conflict {
                store: self.place.url(),
                object: object.clone(),
                expected: expected.cloned(),
                found: None,
            }),
            Ok(Err(error)) => Err(error::writing(&self.place, call, object, error)),
            Err(_) => Err(error::ambiguous(&self.place, object, None)),
        }
    }

    fn version(&self, written: Option<Written>, object: &Object) -> Result<Version, Error> {
        let written = written.ok_or_else(|| error::ambiguous(&self.place, object, None))?;
        Ok(written.version())
    }
}

fn by_name(name: &str) -> WatchParams {
    WatchParams::default().fields(&format!("metadata.name={name}"))
}

/// Another version is there, or another object of that name, or none any more; a creation came too late.
fn has_lost(status: &kube::core::Status) -> bool {
    let Some(details) = &status.details else { return false };
    match status.code {
        // A conflict may also be one of the server with itself, over a quota.
        404 | 409 => details.kind == "configmaps",
        422 => details.causes.iter().any(|cause| cause.field == "metadata.uid"),
        _ => false,
    }
}

/// Ends when one of them ends, but not when there is none.
fn until_one_ends(streams: Vec<Events>) -> Events {
    let marked = streams.into_iter().map(|one| one.map(Some).chain(stream::once(ready(None))).boxed());
    let all = stream::select_all(marked).chain(stream::pending());
    all.take_while(|event| ready(event.is_some())).filter_map(ready).boxed()
}

/// The names that the rules give that right on. A rule without names gives it on all, and tells none.
fn named(rules: &[ResourceRule], verb: &str, ours: impl Fn(&str) -> bool) -> Vec<String> {
    let has = |given: &[String], wanted: &str| given.iter().any(|one| one == wanted || one == "*");
    let rules = rules.iter().filter(|rule| {
        has(&rule.verbs, verb)
            && has(rule.api_groups.as_deref().unwrap_or_default(), "")
            && has(rule.resources.as_deref().unwrap_or_default(), "configmaps")
    });
    let names = rules.flat_map(|rule| rule.resource_names.iter().flatten());
    let names: BTreeSet<_> = names.filter(|name| ours(name)).cloned().collect();
    names.into_iter().collect()
}
