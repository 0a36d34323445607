//! One request and what comes of it, over as many hops as the provider's redirects ask for.

use std::error::Error;

use patchbay_sandbox::services::{Denial, HttpBody, HttpProblem};
use reqwest::header::{HOST, HeaderValue, LOCATION};
use reqwest::{Body, Client, Method, Response, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::body::{self, Left, Watched};
use super::guard::{Blocked, Gate};
use super::request::Plan;
use super::scan::Scanner;
use super::{Answer, Dispatch, Egress, Most, Refused};
use crate::blobs::Blobs;
use crate::manifest::host_matches;

pub(super) const REDIRECTS_MAX: usize = 3;

pub(super) struct Exchange<'a> {
    pub(super) egress: &'a Egress,
    pub(super) blobs: &'a Blobs,
    pub(super) scanner: Scanner,
    pub(super) plan: Plan,
    pub(super) most: Most,
}

/// What the plugin is told, and what the log is told besides.
pub(super) struct Stopped {
    pub(super) problem: HttpProblem,
    pub(super) why: String,
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        Self { problem: HttpProblem::Denied(refused.denial), why: refused.why }
    }
}

impl From<HttpProblem> for Stopped {
    fn from(problem: HttpProblem) -> Self {
        Self { problem, why: String::new() }
    }
}

/// Where the next request goes.
struct Hop {
    method: Method,
    /// As the provider knows it; where it is dialled is the way's matter.
    url: Url,
    /// The target's own origin: credentials go there alone.
    at_home: bool,
    /// Does the body go along?
    whole: bool,
}

/// How a host is reached.
pub(super) struct Way<'a> {
    pub(super) client: &'a Client,
    pub(super) url: Url,
    /// Where the operator has redirected a host, the name that it is called by.
    pub(super) host: Option<HeaderValue>,
}

impl Egress {
    /// Where the operator has redirected the URL's host to, if he has.
    pub(super) fn redirected(&self, url: &Url) -> Option<Way<'_>> {
        let host = url.host()?.to_string();
        let mut dialled = self.redirect_of(&host)?.clone();
        dialled.set_path(url.path());
        dialled.set_query(url.query());
        let name = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        Some(Way { client: &self.open, url: dialled, host: HeaderValue::from_str(&name).ok() })
    }

    /// The entry of `redirect` for a host: its own, else the longest `*.` pattern that fits.
    fn redirect_of(&self, host: &str) -> Option<&Url> {
        let redirect = &self.settings.redirect;
        let fitting = || redirect.iter().filter(|(pattern, _)| pattern.starts_with("*.") && host_matches(pattern, host));
        redirect.get(host).or_else(|| fitting().max_by_key(|(pattern, _)| pattern.len()).map(|(_, to)| to))
    }

    /// The URL as a browser reaches it: of a host that the operator has redirected, the address in its place.
    pub fn as_reached(&self, url: &Url) -> Url {
        self.redirected(url).map_or_else(|| url.clone(), |way| way.url)
    }

    /// Whether the operator has redirected the host.
    pub(super) fn is_redirected(&self, host: &str) -> bool {
        self.redirect_of(host).is_some()
    }

    /// How the URL's host is reached, if it may be.
    pub(super) fn way(&self, url: &Url) -> Result<Way<'_>, Refused> {
        let Egress { allow, guarded, listed, .. } = self;
        let no = |denial, why: &str| Err(Refused::new(denial, why));
        let Some(host) = url.host() else { return no(Denial::NotGranted, "the URL has no host") };
        if let Some(way) = self.redirected(url) {
            return Ok(way);
        }
        let (client, gate) = match url.scheme() {
            "https" => (guarded, Gate::Guarded(allow.clone())),
            "http" => (listed, Gate::Listed(allow.clone())),
            _ => return no(Denial::NotGranted, "the URL is neither https nor http"),
        };
        if !gate.permits_host(&host) {
            return no(Denial::BlockedAddress, "the address is private or reserved; [egress] allow lets a net through");
        }
        Ok(Way { client, url: url.clone(), host: None })
    }
}

impl Exchange<'_> {
    /// The provider's host and its answer.
    pub(super) async fn run(self, dispatch: Option<&mut dyn Dispatch>, deadline: Instant) -> Result<(String, Answer), Stopped> {
        let left = Left::default();
        let host = self.plan.url.host_str().unwrap_or_default().to_owned();
        let result = tokio::time::timeout_at(deadline, self.hops(dispatch, &left)).await;
        match result {
            Ok(result) => result.map(|answer| (host, answer)),
            Err(_) if left.get() => Err(HttpProblem::Broken("no answer in time".to_owned()).into()),
            Err(_) => Err(HttpProblem::NotSent("no connection in time".to_owned()).into()),
        }
    }

    async fn hops(&self, mut dispatch: Option<&mut dyn Dispatch>, left: &Left) -> Result<Answer, Stopped> {
        let at_home = self.plan.url.origin() == self.plan.home;
        let mut hop = Hop { method: self.plan.method.clone(), url: self.plan.url.clone(), at_home, whole: true };
        for done in 0..=REDIRECTS_MAX {
            let request = self.request(&hop, left).await?;
            if done == 0 {
                self.tell(&mut dispatch, left).await?;
            }
            let (client, request) = request;
            let response = client.execute(request).await.map_err(|error| self.stopped(error, left, done))?;
            match self.next(&hop, &response)? {
                Some(next) => hop = next,
                None => return self.answer(response).await,
            }
        }
        Err(HttpProblem::Broken(format!("more than {REDIRECTS_MAX} redirects")).into())
    }

    /// A request that changes nothing needs no record, and what becomes of it is of no consequence.
    async fn tell(&self, dispatch: &mut Option<&mut dyn Dispatch>, left: &Left) -> Result<(), Stopped> {
        if let Some(dispatch) = dispatch {
            dispatch.heading_for(self.plan.url.host_str().unwrap_or_default());
        }
        if is_safe(&self.plan.method) {
            left.set();
        } else if let Some(dispatch) = dispatch {
            dispatch.about_to_send().await.map_err(|why| HttpProblem::NotSent(format!("the gateway couldn't record it: {why}")))?;
        }
        Ok(())
    }

    async fn request(&self, hop: &Hop, left: &Left) -> Result<(&Client, reqwest::Request), Stopped> {
        let way = self.egress.way(&hop.url)?;
        let mut builder = way.client.request(hop.method.clone(), way.url).headers(self.plan.headers(hop.at_home));
        if let Some(host) = way.host {
            builder = builder.header(HOST, host);
        }
        if hop.whole && !(is_safe(&hop.method) && self.plan.body == HttpBody::Empty && self.plan.form.is_empty()) {
            let body = body::attach(builder, &self.plan.body, &self.plan.form, self.blobs, self.plan.has_type()).await;
            builder = body.map_err(|why| self.not_made(why, left))?;
        }
        let mut request = builder.build().map_err(|error| self.not_made(told(error), left))?;
        if let Some(inner) = request.body_mut().take() {
            *request.body_mut() = Some(Body::wrap(Watched { inner, left: left.clone() }));
        }
        Ok((way.client, request))
    }

    fn not_made(&self, why: String, left: &Left) -> HttpProblem {
        let why = self.scanner.blank_text(why);
        if left.get() { HttpProblem::Broken(why) } else { HttpProblem::NotSent(why) }
    }

    /// The hop that a redirect asks for, if it is one.
    fn next(&self, hop: &Hop, response: &Response) -> Result<Option<Hop>, Refused> {
        let no = |why: &str| Err(Refused::new(Denial::NotGranted, why));
        let method = match response.status() {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER if !is_safe(&hop.method) => Method::GET,
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => hop.method.clone(),
            _ => return Ok(None),
        };
        let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
        let Some(mut url) = location.to_str().ok().and_then(|text| hop.url.join(text).ok()) else {
            return no("the provider redirects to what is no URL");
        };
        url.set_fragment(None);
        if hop.url.scheme() == "https" && url.scheme() != "https" {
            return no("the provider redirects from https to http");
        }
        let at_home = url.origin() == self.plan.home;
        if at_home {
            url = self.plan.with_query(url);
        } else if !is_safe(&method) {
            return no("the provider redirects a request with a body to another host");
        } else if self.scanner.find(url.as_str().as_bytes()).is_some() {
            return no("the provider redirects to another host with a credential in the URL");
        }
        Ok(Some(Hop { whole: hop.whole && method == hop.method && at_home, method, url, at_home }))
    }

    /// Sent or not? Only what broke before a connection took the first hop surely wasn't.
    fn stopped(&self, error: reqwest::Error, left: &Left, done: usize) -> Stopped {
        if chain(&error).any(<dyn Error>::is::<Blocked>) {
            return Refused::new(Denial::BlockedAddress, &Blocked.to_string()).into();
        }
        let unsent = done == 0 && (error.is_connect() || !left.get());
        let text = self.scanner.blank_text(told(error));
        if unsent { HttpProblem::NotSent(text).into() } else { HttpProblem::Broken(text).into() }
    }
}

pub(super) fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// What went wrong, from the outermost word to the cause. Never with the URL, which holds credentials.
pub(super) fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut told: Vec<String> = Vec::new();
    for cause in chain(&error).map(ToString::to_string) {
        // Some errors repeat their cause's words.
        if !told.iter().any(|before| before.contains(&cause)) {
            told.push(cause);
        }
    }
    told.join(": ")
}

/// GET and HEAD: whether they arrive changes nothing.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
