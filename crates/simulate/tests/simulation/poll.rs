//! Clients that ask for changes in pages of JSON, and begin with a list.

use http::Method;
use serde_json::Value;

use crate::ask::{Asked, ask, version};
use crate::reader::{Left, Reader};
use crate::sse::Event;

impl Reader {
    /// Asks for the next page.
    pub(crate) async fn poll(&mut self) -> Left {
        let Some(since) = self.last_id.clone() else {
            return self.list().await;
        };
        let and = if self.path.contains('?') { '&' } else { '?' };
        let asked = Asked::new(Method::GET, format!("{}{and}_since={since}", self.path))
            .field("accept", "application/json");
        let Some(reply) = ask(&self.world, self.client, &asked).await else {
            return Left::Cut;
        };
        match reply.status.as_u16() {
            200 => {}
            410 => {
                self.forget();
                return Left::Cut;
            }
            500 | 503 => return Left::Cut,
            other => panic!("{asked:?}: {other}"),
        }
        let page = reply.json();
        let mut at = 0;
        for change in page["changes"].as_array().unwrap() {
            let event = Event {
                name: change["event"].as_str().unwrap().to_owned(),
                ..Event::default()
            };
            self.change(&event, change, &mut at);
        }
        self.last_id = Some(page["cursor"].as_str().unwrap().to_owned());
        if page["more"] == Value::Bool(true) {
            return Left::Cut;
        }
        self.is_in_snapshot = false;
        Left::Even
    }

    /// Takes all pages of a list, and the cursor of the first: the changes since then make
    /// one state of what the pages show of several moments.
    async fn list(&mut self) -> Left {
        self.forget();
        let mut next = Some(self.path.clone());
        let mut cursor = None;
        while let Some(target) = next.take() {
            let asked = Asked::new(Method::GET, target);
            let reply = ask(&self.world, self.client, &asked).await;
            let Some(reply) = reply.filter(|reply| reply.status == 200) else {
                return Left::Cut;
            };
            let page = reply.json();
            for item in page["items"].as_array().unwrap() {
                let path = item["path"].as_str().unwrap().to_owned();
                let etag = version(item["etag"].as_str().unwrap()).unwrap();
                self.hold(path, etag, Some(item["document"].clone()));
            }
            cursor = cursor.or_else(|| page["cursor"].as_str().map(str::to_owned));
            next = page["next"].as_str().map(str::to_owned);
        }
        self.last_id = cursor;
        Left::Cut
    }
}
