//! Reading the content of a request: bounded in size and time, and decoded.

mod hold;

use std::future::poll_fn;
use std::io::Read;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use matchbook_core::field::content_encoding::ContentEncoding;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::request::{Method, Request};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use self::hold::Hold;
use crate::app::Call;

/// Time that any content may take.
const BASE: Duration = Duration::from_secs(30);

/// Bytes that buy a second more: slower than any line that a person would bear, and
/// fast enough that the largest document cannot take an hour.
const BYTES_PER_SECOND: u64 = 16 * 1_024;

/// Larger contents are decoded and evaluated where they do not hold up other requests.
pub(crate) const OFFLOAD_BYTES: usize = 64 * 1_024;

/// Contents whose coding is undone at a time. Each may become as large as any content, from
/// a thousandth of that, so that without a bound a few clients could fill the memory; and
/// more than there are processors only take turns.
const DECODERS: usize = 2;

/// What is kept in one piece of a content that is not whole yet, and decoded at a time.
const PIECE_BYTES: usize = 64 * 1_024;

static DECODING: Semaphore = Semaphore::const_new(DECODERS);

/// Content that nobody wanted is read up to this size, so that the connection can be
/// used again; what is larger costs less to cut off.
const SETTLE_BYTES: usize = 64 * 1_024;

/// And for this long: it was sent before the answer could be known.
const SETTLE: Duration = Duration::from_secs(1);

/// The content of one request: read at most once, and only when it is wanted.
pub(crate) enum Content {
    Unread(Incoming),
    Read(Bytes, Hold),
    /// Reading it failed.
    Broken,
}

impl Content {
    /// Content that is there as a whole.
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self::Read(bytes, Hold::default())
    }

    /// All of it, its coding undone. At most `max_bytes`, before and after.
    pub(crate) async fn read(
        &mut self,
        call: &Call<'_>,
        max_bytes: usize,
    ) -> Result<Bytes, Problem> {
        if call.facts.method == Method::Delete {
            return Ok(Bytes::new());
        }
        let incoming = match std::mem::replace(self, Self::Broken) {
            Self::Unread(incoming) => incoming,
            Self::Read(bytes, hold) => {
                *self = Self::Read(bytes.clone(), hold);
                return Ok(bytes);
            }
            Self::Broken => return Err(Kind::Incomplete.because("the content broke off")),
        };
        let mut hold = Hold::default();
        let sent = collect(incoming, max_bytes, &mut hold).await?;
        let bytes = match call.facts.content_encoding {
            Some(ContentEncoding::Gzip) => decode(sent, max_bytes).await?,
            _ => sent,
        };
        hold.cover(bytes.len())?;
        *self = Self::Read(bytes.clone(), hold);
        Ok(bytes)
    }

    /// It piece by piece, at most so many bytes as they come; `None` if it was read before.
    pub(crate) fn arrive(&mut self, max_bytes: usize) -> Option<Arriving<Incoming>> {
        match std::mem::replace(self, Self::Broken) {
            Self::Unread(incoming) => Some(Arriving::new(incoming, max_bytes)),
            Self::Read(..) | Self::Broken => None,
        }
    }

    /// Tells that all that arrived was taken.
    pub(crate) fn has_arrived(&mut self) {
        *self = Self::of(Bytes::new());
    }

    /// Whether all of it was read, or there is none.
    pub(crate) fn is_settled(&self) -> bool {
        match self {
            Self::Read(..) => true,
            Self::Unread(incoming) => incoming.is_end_stream(),
            Self::Broken => false,
        }
    }

    /// After the answer is known: takes what is left. False if the connection has to be
    /// closed, because where its next request begins is not known.
    pub(crate) async fn settle(self, facts: &Request<'_>) -> bool {
        let Self::Unread(incoming) = self else {
            return false;
        };
        let little = facts.content_length.unwrap_or(0) <= SETTLE_BYTES as u64;
        // Who waits for 100 may send the content or not.
        if !little || facts.expects_continue {
            return false;
        }
        matches!(
            timeout(
                SETTLE,
                collect(incoming, SETTLE_BYTES, &mut Hold::default())
            )
            .await,
            Ok(Ok(_))
        )
    }
}

/// Content that comes in pieces.
pub(crate) struct Arriving<B> {
    incoming: B,
    begun: Instant,
    received: usize,
    max_bytes: usize,
}

impl<B> Arriving<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    fn new(incoming: B, max_bytes: usize) -> Self {
        Self {
            incoming,
            begun: Instant::now(),
            received: 0,
            max_bytes,
        }
    }

    /// The next piece, in its coding; `None` is the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let paid = Duration::from_secs(self.received as u64 / BYTES_PER_SECOND);
            let frame = poll_fn(|context| Pin::new(&mut self.incoming).poll_frame(context));
            let frame = match timeout_at(self.begun + BASE + paid, frame).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(broken(&error)),
                Ok(None) => return Ok(None),
                Err(_) => {
                    let received = self.received;
                    return Err(
                        Kind::Timeout.because(format!("only {received} bytes came in time"))
                    );
                }
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.received += data.len();
            if self.received > self.max_bytes {
                return Err(too_large(self.max_bytes));
            }
            return Ok(Some(data));
        }
    }
}

async fn collect<B>(incoming: B, max_bytes: usize, hold: &mut Hold) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    let mut arriving = Arriving::new(incoming, max_bytes);
    // Most contents come in one piece, which is then not copied.
    let mut first = None;
    let mut pieces = Pieces::default();
    while let Some(data) = arriving.next().await? {
        hold.cover(arriving.received)?;
        match first.take() {
            None if pieces.0.is_empty() => first = Some(data),
            None => pieces.add(&data),
            Some(before) => {
                pieces.add(&before);
                pieces.add(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| pieces.0.concat().into()))
}

/// What has come of a content. It lies in pieces until all of it is there: a buffer that
/// grows leaves its former selves to the allocator, which gives them back late.
#[derive(Default)]
struct Pieces(Vec<Vec<u8>>);

impl Pieces {
    fn add(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let last = self.0.pop_if(|last| last.len() < PIECE_BYTES);
            let mut last = last.unwrap_or_else(|| Vec::with_capacity(PIECE_BYTES));
            let (now, later) = data.split_at(data.len().min(PIECE_BYTES - last.len()));
            last.extend_from_slice(now);
            self.0.push(last);
            data = later;
        }
    }
}

fn broken(error: &hyper::Error) -> Problem {
    Kind::Incomplete.because(if error.is_incomplete_message() {
        "fewer bytes came than were announced"
    } else {
        "the content broke off or its chunks are malformed"
    })
}

pub(crate) fn too_large(max_bytes: usize) -> Problem {
    Kind::ContentTooLarge.because(format!("at most {max_bytes} bytes are allowed"))
}

async fn decode(sent: Bytes, max_bytes: usize) -> Result<Bytes, Problem> {
    let failed = || Kind::Internal.because("decoding failed");
    let turn = DECODING.acquire().await.map_err(|_| failed())?;
    let work = move || {
        let decoded = gunzip(&sent, max_bytes);
        // Only now: it goes on when the client is gone.
        drop(turn);
        decoded
    };
    let decoded = tokio::task::spawn_blocking(work).await;
    decoded.unwrap_or_else(|_| Err(failed()))
}

/// Stops past the limit, however much a small content would become. What is longer than a
/// piece is measured before it is kept: of what turns out to be too long, nothing is.
fn gunzip(coded: &[u8], max_bytes: usize) -> Result<Bytes, Problem> {
    let mut decoder = flate2::read::MultiGzDecoder::new(coded);
    let mut first = Vec::with_capacity(PIECE_BYTES);
    let first_bytes = read_piece(&mut decoder, &mut first)?;
    let mut bytes = first_bytes;
    if first_bytes == PIECE_BYTES {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        while bytes <= max_bytes {
            piece.clear();
            match read_piece(&mut decoder, &mut piece)? {
                0 => break,
                more => bytes += more,
            }
        }
    }
    if bytes > max_bytes {
        return Err(too_large(max_bytes));
    }
    if bytes == first_bytes {
        // A copy, which has the room that it needs: it may be kept.
        return Ok(Bytes::copy_from_slice(&first));
    }
    let mut all = Vec::with_capacity(bytes);
    flate2::read::MultiGzDecoder::new(coded)
        .read_to_end(&mut all)
        .map_err(|error| not_gzip(&error))?;
    Ok(all.into())
}

/// What comes next, as much as a piece holds; less only at the end.
fn read_piece(decoder: &mut impl Read, piece: &mut Vec<u8>) -> Result<usize, Problem> {
    decoder
        .take(PIECE_BYTES as u64)
        .read_to_end(piece)
        .map_err(|error| not_gzip(&error))
}

fn not_gzip(error: &std::io::Error) -> Problem {
    Kind::Malformed.because(format!("the content is not gzip: {error}"))
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, ready};

    use hyper::body::Frame;
    use matchbook_core::field::coding::Coding;
    use tokio::time::{Interval, interval};

    use super::*;
    use crate::representation::compress;

    /// Content that comes in equal pieces, one a second, as often as it says.
    struct Slow {
        piece_bytes: usize,
        pieces: usize,
        seconds: Interval,
    }

    impl Body for Slow {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            ready!(self.seconds.poll_tick(context));
            let Some(left) = self.pieces.checked_sub(1) else {
                return Poll::Ready(None);
            };
            self.pieces = left;
            let piece = vec![b'x'; self.piece_bytes];
            Poll::Ready(Some(Ok(Frame::data(piece.into()))))
        }
    }

    async fn collect_slowly(piece_bytes: usize, pieces: usize) -> Result<usize, Kind> {
        let slow = Slow {
            piece_bytes,
            pieces,
            seconds: interval(Duration::from_secs(1)),
        };
        let collected = collect(slow, 4 * 1_024 * 1_024, &mut Hold::default()).await;
        collected
            .map(|bytes| bytes.len())
            .map_err(|problem| problem.kind)
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_comes_byte_by_byte_is_given_up() {
        let begun = Instant::now();
        assert_eq!(collect_slowly(1, 1_000).await, Err(Kind::Timeout));
        assert_eq!(begun.elapsed(), BASE);
        assert_eq!(collect_slowly(1, 20).await, Ok(20));
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_comes_steadily_has_the_time_that_it_needs() {
        let a_second = 16 * 1_024;
        assert_eq!(collect_slowly(a_second, 200).await, Ok(200 * a_second));
        let half = collect_slowly(a_second / 2, 200).await;
        assert_eq!(half, Err(Kind::Timeout));
    }

    #[test]
    fn what_comes_in_pieces_is_put_together() {
        let lengths = [1, 0, PIECE_BYTES - 1, 5, 3 * PIECE_BYTES, PIECE_BYTES, 2];
        let mut pieces = Pieces::default();
        let mut all = Vec::new();
        for (index, length) in lengths.into_iter().enumerate() {
            let data: Vec<u8> = (0..=250).cycle().skip(index).take(length).collect();
            pieces.add(&data);
            all.extend(data);
        }
        assert!(pieces.0.iter().all(|piece| piece.capacity() == PIECE_BYTES));
        assert_eq!(pieces.0.len(), all.len().div_ceil(PIECE_BYTES));
        assert_eq!(pieces.0.concat(), all);
    }

    #[test]
    fn section_2_a_bomb_is_stopped_while_it_is_decoded() {
        let bomb = compress(Coding::Gzip, &vec![0; 1_000_000]).unwrap();
        assert!(bomb.len() < 2_000);
        let refused = gunzip(&bomb, 1_000).unwrap_err();
        assert_eq!(refused.kind, Kind::ContentTooLarge);
        assert_eq!(gunzip(&bomb, 1_000_000).unwrap().len(), 1_000_000);
    }

    #[test]
    fn content_is_decoded_whatever_its_length() {
        for bytes in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 300_000] {
            let content: Vec<u8> = (0..=250).cycle().take(bytes).collect();
            let coded = compress(Coding::Gzip, &content).unwrap();
            assert_eq!(gunzip(&coded, bytes).unwrap(), content);
            // In two parts, as gzip allows.
            let two = [&coded[..], &coded[..]].concat();
            assert_eq!(gunzip(&two, 2 * bytes).unwrap(), content.repeat(2));
            for max_bytes in [0, bytes / 2, bytes.saturating_sub(1)] {
                if bytes > max_bytes {
                    let refused = gunzip(&coded, max_bytes).unwrap_err();
                    assert_eq!(refused.kind, Kind::ContentTooLarge);
                }
            }
        }
    }

    #[test]
    fn what_is_not_gzip_is_malformed() {
        for coded in [&b"plain"[..], &[], &[0x1f, 0x8b, 8]] {
            assert_eq!(gunzip(coded, 10).unwrap_err().kind, Kind::Malformed);
        }
    }
}
