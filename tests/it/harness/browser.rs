//! A browser: it follows where it is sent, and keeps the gateway's cookies.

use reqwest::{Client, StatusCode, header, redirect::Policy};

use super::install_tls;

/// What a browser shows at last.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// A browser: it goes where it is sent and gives the gateway its cookies back.
pub(crate) struct Browser {
    client: Client,
    home: String,
    cookies: Vec<String>,
}

impl Browser {
    pub(crate) fn new(home: &str) -> Browser {
        install_tls();
        Browser { client: Client::builder().redirect(Policy::none()).build().unwrap(), home: home.to_owned(), cookies: Vec::new() }
    }

    /// Opens a page and goes where it leads.
    pub(crate) async fn follow(&mut self, url: &str) -> Shown {
        let mut url = url.to_owned();
        for _ in 0..8 {
            let (shown, next) = self.open(&url).await;
            match next {
                Some(next) => url = next,
                None => return shown,
            }
        }
        panic!("the browser is sent around for ever: {url}");
    }

    /// Opens one page; answers where it leads, if it does.
    pub(crate) async fn open(&mut self, url: &str) -> (Shown, Option<String>) {
        let mut request = self.client.get(url);
        if url.starts_with(&self.home) && !self.cookies.is_empty() {
            request = request.header(header::COOKIE, self.cookies.join("; "));
        }
        self.take(request.send().await.unwrap()).await
    }

    /// Posts a form to the gateway.
    pub(crate) async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Shown {
        let request = self.client.post(format!("{}{path}", self.home)).header(header::COOKIE, self.cookies.join("; ")).form(form);
        self.take(request.send().await.unwrap()).await.0
    }

    async fn take(&mut self, response: reqwest::Response) -> (Shown, Option<String>) {
        if response.url().as_str().starts_with(&self.home) {
            for cookie in response.headers().get_all(header::SET_COOKIE) {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
                let name = pair.split('=').next().unwrap().to_owned();
                self.cookies.retain(|kept| !kept.starts_with(&format!("{name}=")));
                self.cookies.push(pair);
            }
        }
        let next = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let next = next.filter(|_| response.status().is_redirection());
        let status = response.status();
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
        (Shown { status: status.as_u16(), text: response.text().await.unwrap() }, next)
    }
}
