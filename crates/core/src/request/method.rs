//! The methods that the server knows (RFC 9110 §9, RFC 5789).

/// A request's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// RFC 9110 §9.3.1.
    Get,
    /// RFC 9110 §9.3.2.
    Head,
    /// RFC 9110 §9.3.3.
    Post,
    /// RFC 9110 §9.3.4.
    Put,
    /// RFC 5789.
    Patch,
    /// RFC 9110 §9.3.5.
    Delete,
    /// RFC 9110 §9.3.7.
    Options,
    /// CONNECT, TRACE or QUERY: known, and allowed nowhere here.
    Other,
    /// Not in RFC 9110 or RFC 5789.
    Unknown,
}

impl Method {
    /// As it stands in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "TRACE",
            Self::Unknown => "",
        }
    }

    /// RFC 9110 §9.2.1, turned around.
    #[must_use]
    pub const fn is_unsafe(self) -> bool {
        !matches!(self, Self::Get | Self::Head | Self::Options)
    }
}

impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Self {
        match *method {
            http::Method::GET => Self::Get,
            http::Method::HEAD => Self::Head,
            http::Method::POST => Self::Post,
            http::Method::PUT => Self::Put,
            http::Method::PATCH => Self::Patch,
            http::Method::DELETE => Self::Delete,
            http::Method::OPTIONS => Self::Options,
            http::Method::CONNECT | http::Method::TRACE => Self::Other,
            _ if method.as_str() == "QUERY" => Self::Other,
            _ => Self::Unknown,
        }
    }
}
