//! SMTP, one session for each connection.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::desk::pause;
use crate::mail::answer::{Command, Verdict};
use crate::mail::magic::{self, Fate};
use crate::mail::sasl::{self, Credentials};
use crate::mail::server::{Knobs, Server, StartTls};
use crate::mail::world::Sent;
use crate::mail::{header, letter};

/// Tokens make long lines.
const LINE_MAX: u64 = 12_288;
/// Of a letter larger than allowed no more than this is read.
const LETTER_MAX: usize = 64 * 1024 * 1024;

struct Session {
    server: Arc<Server>,
    number: u64,
    input: BufReader<OwnedReadHalf>,
    output: OwnedWriteHalf,
    greeted: bool,
    user: Option<String>,
    sender: Option<String>,
    recipients: Vec<String>,
}

/// What is answered.
enum Reply {
    One(u16, String),
    Lines(u16, Vec<String>),
    /// Answered, and the connection ends.
    Last(u16, String),
    /// The connection breaks.
    Cut,
}

fn one(code: u16, text: &str) -> Reply {
    Reply::One(code, text.to_owned())
}

pub(crate) async fn serve(server: Arc<Server>, stream: TcpStream, number: u64) -> io::Result<()> {
    let (input, output) = stream.into_split();
    let input = BufReader::new(input);
    let (greeted, user, sender, recipients) = (false, None, None, Vec::new());
    let mut session = Session { server, number, input, output, greeted, user, sender, recipients };
    let command = session.command("CONNECT", "", Value::Null);
    let greeting = match command.verdict(&session.server).await {
        Verdict::Done => one(220, "mail.example.test ESMTP stand-in"),
        Verdict::Refused(code, text) => Reply::Last(code, text),
        Verdict::Cut => return Ok(()),
    };
    if !session.answer(&command, greeting).await? {
        return Ok(());
    }
    while let Some(line) = session.line().await? {
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let verb = verb.to_ascii_uppercase();
        let recipient = if verb == "RCPT" { path(rest) } else { session.recipients.first().cloned().unwrap_or_default() };
        let parameters = if verb == "AUTH" {
            json!({"mechanism": rest.split(' ').next(), "initial": rest.contains(' ')})
        } else {
            json!({"line": rest})
        };
        let command = session.command(&verb, &recipient, parameters);
        let reply = match command.verdict(&session.server).await {
            Verdict::Refused(code, text) => Reply::One(code, text),
            Verdict::Cut => Reply::Cut,
            Verdict::Done => {
                let reply = session.act(&verb, rest).await?;
                if command.breaks().await { Reply::Cut } else { reply }
            }
        };
        if !session.answer(&command, reply).await? {
            return Ok(());
        }
    }
    Ok(())
}

impl Session {
    fn command(&self, verb: &str, recipient: &str, mut parameters: Value) -> Command {
        if parameters.is_null() {
            parameters = json!({});
        }
        parameters["_connection"] = self.number.into();
        Command::new(&self.server, &format!("SMTP {verb}"), self.user.as_deref().unwrap_or_default(), recipient, || parameters)
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(LINE_MAX).read_until(b'\n', &mut line).await?;
        Ok((read > 0).then(|| String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// Whether the session goes on.
    async fn answer(&mut self, command: &Command, reply: Reply) -> io::Result<bool> {
        let (code, lines, goes_on) = match reply {
            Reply::One(code, text) => (code, vec![text], true),
            Reply::Lines(code, lines) => (code, lines, true),
            Reply::Last(code, text) => (code, vec![text], false),
            Reply::Cut => return Ok(false),
        };
        let last = lines.len().saturating_sub(1);
        let whole: String =
            lines.iter().enumerate().map(|(at, line)| format!("{code}{}{line}\r\n", if at == last { ' ' } else { '-' })).collect();
        command.answered(code);
        self.output.write_all(whole.as_bytes()).await?;
        Ok(goes_on)
    }

    async fn act(&mut self, verb: &str, rest: &str) -> io::Result<Reply> {
        let knobs = self.server.knobs();
        Ok(match verb {
            "EHLO" | "HELO" if rest.trim().is_empty() => one(501, "5.5.4 Say who you are"),
            "HELO" => {
                self.greeted = true;
                one(250, "mail.example.test")
            }
            "EHLO" => {
                self.greeted = true;
                self.reset();
                Reply::Lines(250, extensions(&knobs))
            }
            "STARTTLS" => match knobs.starttls {
                StartTls::Off => one(502, "5.5.1 Not implemented"),
                StartTls::Refused => one(454, "4.7.0 TLS not available due to temporary reason"),
                StartTls::Injected => one(220, "2.0.0 Ready to start TLS\r\n250-mail.example.test\r\n250 AUTH PLAIN LOGIN"),
            },
            "AUTH" => self.log_in(rest, &knobs).await?,
            "NOOP" => one(250, "2.0.0 Ok"),
            "RSET" => {
                self.reset();
                one(250, "2.0.0 Ok")
            }
            "QUIT" => Reply::Last(221, "2.0.0 Bye".to_owned()),
            "MAIL" => self.take_sender(rest, &knobs),
            "RCPT" => self.take_recipient(rest, &knobs),
            "DATA" => self.take_letter(&knobs).await?,
            "VRFY" => one(252, "2.1.5 Send some mail, I'll try my best"),
            _ => one(500, "5.5.2 Command not recognised"),
        })
    }

    fn reset(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }

    async fn log_in(&mut self, rest: &str, knobs: &Knobs) -> io::Result<Reply> {
        let (mechanism, initial) = rest.split_once(' ').map_or((rest, None), |(mechanism, initial)| (mechanism, Some(initial)));
        let mechanism = mechanism.to_ascii_uppercase();
        if !self.greeted || self.user.is_some() {
            return Ok(one(503, "5.5.1 Bad sequence of commands"));
        }
        if !knobs.mechanisms.contains(&mechanism) {
            return Ok(one(504, "5.5.4 Unrecognised authentication type"));
        }
        let mut said = Vec::new();
        if mechanism == "LOGIN" {
            for (prompt, given) in [("Username:", initial), ("Password:", None)] {
                match given {
                    Some(given) => said.push(given.to_owned()),
                    None => said.extend(self.ask(&sasl::encode(prompt)).await?),
                }
            }
        } else {
            match initial {
                Some(initial) => said.push(initial.to_owned()),
                None => said.extend(self.ask("").await?),
            }
        }
        let decoded: Option<Vec<String>> =
            said.iter().map(|text| sasl::decode(text).and_then(|bytes| String::from_utf8(bytes).ok())).collect();
        let credentials = decoded.and_then(|decoded| match (mechanism.as_str(), decoded.as_slice()) {
            ("LOGIN", [user, password]) => Some(Credentials::Password { user: user.clone(), password: password.clone() }),
            (other, [said]) => Credentials::read(other, said.as_bytes()),
            _ => None,
        });
        let Some(credentials) = credentials else { return Ok(one(501, "5.5.2 Cannot decode response")) };
        if let Some(user) = credentials.check(&self.server) {
            self.user = Some(user);
            return Ok(one(235, "2.7.0 Authentication successful"));
        }
        // The refusal proper comes after an answer, which is empty or a control character.
        if credentials.is_token()
            && self.ask(&sasl::encode(sasl::TOKEN_REFUSED)).await?.is_none_or(|said| !matches!(said.as_str(), "" | "AQ=="))
        {
            return Ok(one(501, "5.5.2 Cannot decode response"));
        }
        Ok(one(535, "5.7.8 Error: authentication failed: the credentials are not right"))
    }

    async fn ask(&mut self, prompt: &str) -> io::Result<Option<String>> {
        self.output.write_all(format!("334 {prompt}\r\n").as_bytes()).await?;
        self.line().await
    }

    fn take_sender(&mut self, rest: &str, knobs: &Knobs) -> Reply {
        let Some(given) = strip_case(rest, "FROM:") else { return one(501, "5.5.4 Syntax: MAIL FROM:<address>") };
        if !self.greeted || self.sender.is_some() {
            return one(503, "5.5.1 Bad sequence of commands");
        }
        if knobs.require_auth && self.user.is_none() {
            return one(530, "5.7.0 Authentication required");
        }
        for parameter in given.split('>').nth(1).unwrap_or_default().split_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = name.to_ascii_uppercase();
            let known = match name.as_str() {
                "SIZE" => knobs.size_max > 0,
                "BODY" => offers(knobs, "8BITMIME"),
                "SMTPUTF8" => offers(knobs, "SMTPUTF8"),
                "RET" | "ENVID" => offers(knobs, "DSN"),
                "AUTH" => true,
                _ => false,
            };
            if !known {
                return one(555, "5.5.4 Unsupported parameter");
            }
            if name == "SIZE" && value.parse::<usize>().is_ok_and(|size| size > knobs.size_max) {
                return one(552, "5.3.4 Message size exceeds fixed limit");
            }
        }
        self.sender = Some(path(rest));
        one(250, "2.1.0 Ok")
    }

    fn take_recipient(&mut self, rest: &str, knobs: &Knobs) -> Reply {
        if strip_case(rest, "TO:").is_none() {
            return one(501, "5.5.4 Syntax: RCPT TO:<address>");
        }
        if self.sender.is_none() {
            return one(503, "5.5.1 Need MAIL before RCPT");
        }
        let address = path(rest);
        if !address.contains('@') {
            return one(501, "5.1.3 Bad recipient address syntax");
        }
        match magic::fate(&address).filter(|_| knobs.magic) {
            Some(Fate::Refused(code, text)) => return Reply::One(code, text),
            Some(Fate::Closed(code, text)) => return Reply::Last(code, text),
            Some(Fate::Greylisted) if self.server.world.lock().greylisted.insert(address.clone()) => {
                return one(450, "4.7.1 Greylisted, try again in a minute");
            }
            _ => {}
        }
        self.recipients.push(address);
        one(250, "2.1.5 Ok")
    }

    async fn take_letter(&mut self, knobs: &Knobs) -> io::Result<Reply> {
        let (Some(sender), false) = (self.sender.clone(), self.recipients.is_empty()) else {
            return Ok(one(503, "5.5.1 Need RCPT before DATA"));
        };
        let fates: Vec<Fate> = self.recipients.iter().filter(|_| knobs.magic).filter_map(|address| magic::fate(address)).collect();
        if fates.contains(&Fate::CutBefore) {
            return Ok(Reply::Cut);
        }
        self.output.write_all(b"354 End data with <CR><LF>.<CR><LF>\r\n").await?;
        let Some(raw) = self.letter().await? else { return Ok(Reply::Cut) };
        let recipients = std::mem::take(&mut self.recipients);
        self.reset();
        if let Some((code, text)) = fates.iter().find_map(|fate| match fate {
            Fate::Rejected(code, text) => Some((*code, text.clone())),
            _ => None,
        }) {
            return Ok(Reply::One(code, text));
        }
        if knobs.size_max > 0 && raw.len() > knobs.size_max {
            return Ok(one(552, "5.3.4 Message size exceeds fixed limit"));
        }
        let sent = Sent { connection: self.number, user: self.user.clone(), sender, recipients, letter: raw };
        self.record_letter(&sent);
        letter::deliver(&self.server, &sent, knobs.magic);
        if fates.contains(&Fate::Slow) {
            pause(knobs.slow_ms).await;
        }
        if fates.contains(&Fate::CutAfter) {
            return Ok(Reply::Cut);
        }
        Ok(Reply::One(250, format!("2.0.0 Ok: queued as {:X}", self.server.desk.next_number())))
    }

    /// Until the final dot; none where the client goes away before.
    async fn letter(&mut self) -> io::Result<Option<Bytes>> {
        let mut letter = Vec::new();
        loop {
            let start = letter.len();
            if (&mut self.input).take(LETTER_MAX as u64).read_until(b'\n', &mut letter).await? == 0 || letter.len() > LETTER_MAX {
                return Ok(None);
            }
            let line = letter.get(start..).unwrap_or_default();
            if line == b".\r\n" {
                letter.truncate(start);
                return Ok(Some(letter.into()));
            }
            if line.starts_with(b".") {
                letter.remove(start);
            }
        }
    }

    /// What a sender can do wrong in a letter is told with it.
    fn record_letter(&self, sent: &Sent) {
        let lines = || sent.letter.split(|byte| *byte == b'\n');
        let bare = sent.letter.iter().enumerate().any(|(at, byte)| match byte {
            b'\n' => at == 0 || sent.letter.get(at - 1) != Some(&b'\r'),
            b'\r' => sent.letter.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let parameters = json!({
            "from": sent.sender, "to": sent.recipients, "size": sent.letter.len(), "bare_line_ends": bare,
            "longest_line": lines().map(|line| line.len().saturating_sub(1)).max(), "eight_bit": !sent.letter.is_ascii(),
            "message_id": header::of(&sent.letter, "message-id"),
        });
        let recipient = sent.recipients.first().map(String::as_str).unwrap_or_default();
        self.command("LETTER", recipient, parameters).answered(250);
    }
}

fn offers(knobs: &Knobs, extension: &str) -> bool {
    knobs.extensions.iter().any(|offered| offered == extension)
}

fn extensions(knobs: &Knobs) -> Vec<String> {
    let mut lines = vec!["mail.example.test".to_owned()];
    if knobs.size_max > 0 {
        lines.push(format!("SIZE {}", knobs.size_max));
    }
    if knobs.starttls != StartTls::Off {
        lines.push("STARTTLS".to_owned());
    }
    if !knobs.mechanisms.is_empty() {
        lines.push(format!("AUTH {}", knobs.mechanisms.join(" ")));
    }
    lines.extend(knobs.extensions.iter().cloned());
    lines
}

fn strip_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix)).and_then(|_| text.get(prefix.len()..))
}

/// The address between the angle brackets of `FROM:<…> SIZE=1`.
fn path(rest: &str) -> String {
    rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or_else(String::new, |(address, _)| address.trim().to_owned())
}
