//! Single documents, from the server.

use bytes::Bytes;
use http::header::ETAG;
use http::response::Parts;
use http::{Method, StatusCode};
use matchbook_core::tag::Version;

use super::super::ClientArgs;
use super::super::client::{self, Client, Connection};
use super::super::exit::{Exit, Failure};
use super::super::show::{self, Problem};
use super::super::stream;
use super::super::target::Target;
use super::keeper::Source;

/// The server that a mirror is of.
pub(super) struct Origin {
    client: Client,
    collection: Target,
    connection: Option<Connection>,
}

impl Origin {
    /// Prepares for requests.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(super) fn new(collection: Target, args: &ClientArgs) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::new(&collection, args)?,
            collection,
            connection: None,
        })
    }

    async fn ask(&mut self, path: &str) -> Result<(Parts, Bytes), Failure> {
        // A kept connection may have been closed meanwhile; a new one is no rumour.
        if let Some(mut connection) = self.connection.take()
            && let Ok(answer) = exchange(&mut connection, path).await
        {
            self.connection = Some(connection);
            return Ok(answer);
        }
        let mut connection = self.client.connect().await?;
        let answer = exchange(&mut connection, path).await?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

async fn exchange(connection: &mut Connection, path: &str) -> Result<(Parts, Bytes), Failure> {
    let request = client::request(Method::GET, path)?;
    let (parts, body) = connection.send(request).await?.into_parts();
    Ok((parts, client::collect(body).await?))
}

impl Source for Origin {
    async fn get(&mut self, id: &str) -> Result<Option<(Version, Bytes)>, Failure> {
        let path = format!("{}/{id}", self.collection.path);
        let (parts, body) = self.ask(&path).await?;
        match parts.status {
            StatusCode::OK => {
                let tag = parts.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
                let version = tag.and_then(stream::version).ok_or_else(|| {
                    Failure::new(Exit::Refused, format!("{path} has no tag of Matchbook's"))
                })?;
                Ok(Some((version, body)))
            }
            // Who may not read it has none.
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => Ok(None),
            status => {
                let exit = match show::exit_of(status) {
                    Exit::Unreachable => Exit::Unreachable,
                    _ => Exit::Refused,
                };
                let problem = Problem::read(&parts.headers, &body).unwrap_or_default();
                let status = show::status_text(status);
                let summary = problem.summary();
                Err(Failure::new(exit, format!("{path}: {status} {summary}")))
            }
        }
    }
}
