//! One session with PostgreSQL, without its socket: bytes in, bytes and outcomes out.

use super::{Outcome, Query, Url};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::sasl;
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use postgres_protocol::IsNull;
use std::io;

/// Ids of types, as PostgreSQL numbers them.
const TEXT: u32 = 25;
const INT8: u32 = 20;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    items jsonb NOT NULL,
    total_cents bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
)";
const STORE: &str = "INSERT INTO orders (items, total_cents) VALUES ($1::text::jsonb, $2) RETURNING id::text";
const FETCH: &str = "SELECT items::text, total_cents::text, \
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM orders WHERE id = $1";

/// No answer of this function's own statements comes near.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

pub struct Session {
    received: BytesMut,
    to_send: BytesMut,
    url: Url,
    phase: Phase,
    /// What went wrong in the command that runs.
    error: Option<String>,
    create_error: Option<String>,
}

enum Phase {
    Authenticating,
    Sasl(Box<sasl::ScramSha256>),
    Creating,
    Preparing,
    Idle,
    Storing(Option<i64>),
    Fetching(i64, Option<Row>),
    Pinging,
}

struct Row {
    items: String,
    total_cents: String,
    created_at: String,
}

#[derive(Debug)]
pub enum Event {
    /// The session may be asked from now on.
    Ready,
    Done(Outcome),
    Pong,
}

/// The session is of no use any more; the text is for the log and holds no secret.
#[derive(Debug)]
pub struct Fault(pub String);

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault(format!("speaks the protocol wrongly: {error}"))
    }
}

impl Session {
    pub fn new(url: &Url) -> Result<Self, Fault> {
        let mut to_send = BytesMut::new();
        let parameters = [
            ("user", url.user.as_str()),
            ("database", url.database.as_str()),
            ("client_encoding", "UTF8"),
            ("application_name", "checkout"),
        ];
        frontend::startup_message(parameters, &mut to_send)?;
        Ok(Session {
            received: BytesMut::new(),
            to_send,
            url: url.clone(),
            phase: Phase::Authenticating,
            error: None,
            create_error: None,
        })
    }

    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Whether it got as far as taking queries.
    pub fn is_up(&self) -> bool {
        !matches!(self.phase, Phase::Authenticating | Phase::Sasl(_) | Phase::Creating | Phase::Preparing)
    }

    pub fn to_send(&mut self) -> &mut BytesMut {
        &mut self.to_send
    }

    pub fn pending(&self) -> &[u8] {
        &self.to_send
    }

    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.received.len() + bytes.len() > MAX_MESSAGE {
            return Err(Fault("sent a message above 4 MiB".to_owned()));
        }
        self.received.extend_from_slice(bytes);
        Ok(())
    }

    /// Only when idle.
    pub fn ask(&mut self, query: &Query) -> Result<(), Fault> {
        match query {
            Query::Store { items, total_cents } => {
                self.execute("store", &[items.as_str(), &total_cents.to_string()])?;
                self.phase = Phase::Storing(None);
            }
            Query::Fetch { id } => {
                self.execute("fetch", &[&id.to_string()])?;
                self.phase = Phase::Fetching(*id, None);
            }
        }
        Ok(())
    }

    /// Only when idle.
    pub fn ping(&mut self) {
        frontend::sync(&mut self.to_send);
        self.phase = Phase::Pinging;
    }

    pub fn end(&mut self) {
        frontend::terminate(&mut self.to_send);
    }

    /// Parameters go as texts of their own, never into the statement.
    fn execute(&mut self, statement: &str, parameters: &[&str]) -> Result<(), Fault> {
        let write = |text: &&str, buffer: &mut BytesMut| {
            buffer.extend_from_slice(text.as_bytes());
            Ok(IsNull::No)
        };
        frontend::bind("", statement, [], parameters, write, [], &mut self.to_send)
            .map_err(|_| Fault("a parameter does not fit".to_owned()))?;
        frontend::execute("", 0, &mut self.to_send)?;
        frontend::sync(&mut self.to_send);
        self.error = None;
        Ok(())
    }

    /// Works through what was received, up to the next event.
    pub fn step(&mut self) -> Result<Option<Event>, Fault> {
        while let Some(message) = Message::parse(&mut self.received)? {
            if let Some(event) = self.take(message)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn take(&mut self, message: Message) -> Result<Option<Event>, Fault> {
        match message {
            Message::ErrorResponse(body) => {
                let error = describe(&body)?;
                if !self.is_up() && !matches!(self.phase, Phase::Creating | Phase::Preparing) {
                    return Err(Fault(error));
                }
                self.error = Some(error);
            }
            Message::ReadyForQuery(_) => return self.ready(),
            Message::DataRow(row) => self.row(&row)?,
            Message::ParameterStatus(_)
            | Message::BackendKeyData(_)
            | Message::NoticeResponse(_)
            | Message::NotificationResponse(_)
            | Message::ParseComplete
            | Message::BindComplete
            | Message::RowDescription(_)
            | Message::NoData
            | Message::CommandComplete(_)
            | Message::EmptyQueryResponse => {}
            other => self.authenticate(other)?,
        }
        Ok(None)
    }

    fn authenticate(&mut self, message: Message) -> Result<(), Fault> {
        let password = self.url.password.as_bytes();
        let out = &mut self.to_send;
        match (message, &mut self.phase) {
            (Message::AuthenticationOk, Phase::Authenticating) => {}
            (Message::AuthenticationSasl(body), Phase::Authenticating) => {
                if !body.mechanisms().any(|name| Ok(name == sasl::SCRAM_SHA_256))? {
                    return Err(Fault("offers no SCRAM-SHA-256".to_owned()));
                }
                let scram = sasl::ScramSha256::new(password, sasl::ChannelBinding::unsupported());
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, scram.message(), out)?;
                self.phase = Phase::Sasl(Box::new(scram));
            }
            (Message::AuthenticationSaslContinue(body), Phase::Sasl(scram)) => {
                scram.update(body.data())?;
                frontend::sasl_response(scram.message(), out)?;
            }
            (Message::AuthenticationSaslFinal(body), Phase::Sasl(scram)) => {
                scram.finish(body.data())?;
                self.phase = Phase::Authenticating;
            }
            (Message::AuthenticationCleartextPassword | Message::AuthenticationMd5Password(_), _) => {
                return Err(Fault("asks for the password in a weak way; set scram-sha-256 in pg_hba.conf".to_owned()));
            }
            _ => return Err(Fault("sent a message that does not belong there".to_owned())),
        }
        Ok(())
    }

    /// A command has ended, well or with an error.
    fn ready(&mut self) -> Result<Option<Event>, Fault> {
        let error = self.error.take();
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Authenticating => {
                frontend::query(CREATE, &mut self.to_send)?;
                self.phase = Phase::Creating;
                Ok(None)
            }
            Phase::Creating => {
                // Refused where another pod was faster or the table's owner is another; then it is there already.
                self.create_error = error;
                frontend::parse("store", STORE, [TEXT, INT8], &mut self.to_send)?;
                frontend::parse("fetch", FETCH, [INT8], &mut self.to_send)?;
                frontend::sync(&mut self.to_send);
                self.phase = Phase::Preparing;
                Ok(None)
            }
            Phase::Preparing => match error {
                Some(error) => Err(Fault(self.create_error.take().unwrap_or(error))),
                None => Ok(Some(Event::Ready)),
            },
            Phase::Storing(id) => Ok(Some(Event::Done(match (error, id) {
                (None, Some(id)) => Outcome::Stored { id },
                (error, _) => Outcome::Failed(error.unwrap_or_else(|| "stored nothing".to_owned())),
            }))),
            Phase::Fetching(id, row) => Ok(Some(Event::Done(match (error, row) {
                (Some(error), _) => Outcome::Failed(error),
                (None, None) => Outcome::Missing,
                (None, Some(row)) => {
                    Outcome::Found { id, items: row.items, total_cents: row.total_cents, created_at: row.created_at }
                }
            }))),
            Phase::Pinging => Ok(Some(Event::Pong)),
            Phase::Sasl(_) | Phase::Idle => Err(Fault("sent a message that does not belong there".to_owned())),
        }
    }

    fn row(&mut self, row: &DataRowBody) -> Result<(), Fault> {
        let mut columns = Vec::new();
        let mut ranges = row.ranges();
        while let Some(range) = ranges.next()? {
            let text = range.and_then(|range| row.buffer().get(range));
            columns.push(String::from_utf8_lossy(text.unwrap_or_default()).into_owned());
        }
        match (&mut self.phase, <[String; 3]>::try_from(columns)) {
            (Phase::Fetching(_, found), Ok([items, total_cents, created_at])) => {
                *found = Some(Row { items, total_cents, created_at });
            }
            (Phase::Storing(id), Err(columns)) => {
                *id = columns.first().and_then(|text| text.parse().ok());
            }
            _ => return Err(Fault("sent a row that does not belong there".to_owned())),
        }
        Ok(())
    }
}

/// SQLSTATE and message.
fn describe(body: &ErrorResponseBody) -> Result<String, Fault> {
    let (mut code, mut message) = (String::new(), String::new());
    let mut fields = body.fields();
    while let Some(field) = fields.next()? {
        let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => code = text(),
            b'M' => message = text(),
            _ => {}
        }
    }
    Ok(format!("{code} {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.put_u32(body.len() as u32 + 4);
        bytes.extend_from_slice(body);
        bytes
    }

    fn ready() -> Vec<u8> {
        message(b'Z', b"I")
    }

    fn error(code: &str) -> Vec<u8> {
        message(b'E', format!("SERROR\0C{code}\0Mtold\0\0").as_bytes())
    }

    fn row(columns: &[&str]) -> Vec<u8> {
        let mut body = Vec::new();
        body.put_u16(columns.len() as u16);
        for column in columns {
            body.put_u32(column.len() as u32);
            body.extend_from_slice(column.as_bytes());
        }
        message(b'D', &body)
    }

    fn session() -> Session {
        Session::new(&Url::parse("postgres://shop:hunter2@db/orders").unwrap()).unwrap()
    }

    /// What happens as these bytes arrive one by one.
    fn feed(session: &mut Session, bytes: &[u8]) -> Result<Vec<String>, Fault> {
        let mut events = Vec::new();
        for byte in bytes {
            session.receive(&[*byte])?;
            while let Some(event) = session.step()? {
                events.push(format!("{event:?}"));
            }
        }
        Ok(events)
    }

    fn up() -> Session {
        let mut session = session();
        let greeting = [message(b'R', &[0, 0, 0, 0]), ready(), ready(), ready()].concat();
        assert_eq!(feed(&mut session, &greeting).unwrap(), ["Ready"]);
        session.to_send().clear();
        session
    }

    #[test]
    fn a_stored_order_gives_its_id() {
        let mut session = up();
        let items = "[{\"sku\":\"'); DROP TABLE orders; --\"}]".to_owned();
        session.ask(&Query::Store { items: items.clone(), total_cents: 5 }).unwrap();
        let sent = session.to_send().clone();
        let bound = [&[0, 0, 0, items.len() as u8], items.as_bytes()].concat();
        assert!(sent.windows(bound.len()).any(|window| window == bound), "the value goes as a parameter");
        assert!(!session.is_idle());
        let answer = [row(&["7"]), ready()].concat();
        assert_eq!(feed(&mut session, &answer).unwrap(), ["Done(Stored { id: 7 })"]);
        assert!(session.is_idle());
    }

    #[test]
    fn an_order_is_found_or_missing() {
        let mut session = up();
        session.ask(&Query::Fetch { id: 7 }).unwrap();
        let found = feed(&mut session, &[row(&["[]", "5", "now"]), ready()].concat()).unwrap();
        assert!(found[0].starts_with("Done(Found { id: 7, items: \"[]\", total_cents: \"5\""), "{found:?}");
        session.ask(&Query::Fetch { id: 8 }).unwrap();
        assert_eq!(feed(&mut session, &ready()).unwrap(), ["Done(Missing)"]);
    }

    #[test]
    fn an_error_of_a_query_ends_the_query_alone() {
        let mut session = up();
        session.ask(&Query::Fetch { id: 7 }).unwrap();
        let events = feed(&mut session, &[error("57014"), ready()].concat()).unwrap();
        assert_eq!(events, ["Done(Failed(\"57014 told\"))"]);
        session.ping();
        assert_eq!(feed(&mut session, &ready()).unwrap(), ["Pong"]);
    }

    #[test]
    fn a_table_that_another_pod_just_made_is_no_error() {
        let mut session = session();
        let greeting = [message(b'R', &[0, 0, 0, 0]), ready(), error("23505"), ready(), ready()].concat();
        assert_eq!(feed(&mut session, &greeting).unwrap(), ["Ready"]);
    }

    #[test]
    fn a_table_that_cannot_be_made_is_told_by_its_cause() {
        let mut session = session();
        let greeting =
            [message(b'R', &[0, 0, 0, 0]), ready(), error("42501"), ready(), error("42P01"), ready()].concat();
        assert_eq!(feed(&mut session, &greeting).unwrap_err().0, "42501 told");
    }

    #[test]
    fn refused_credentials_and_clear_passwords_are_faults_without_the_password() {
        for greeting in [error("28P01"), message(b'R', &[0, 0, 0, 3]), message(b'R', b"\0\0\0\x0aOTHER\0\0")] {
            let fault = feed(&mut session(), &greeting).unwrap_err();
            assert!(!fault.0.contains("hunter2"), "{fault:?}");
        }
    }

    #[test]
    fn garbage_is_a_fault() {
        for bytes in [message(b'?', b""), message(b'D', &[0]), message(b'Z', b"I"), vec![b'R', 0, 0, 0, 1]] {
            let mut session = up();
            assert!(feed(&mut session, &bytes).is_err(), "{bytes:?}");
        }
    }
}
