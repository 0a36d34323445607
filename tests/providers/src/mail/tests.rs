//! The server as its users meet it: by Python's own clients of SMTP and IMAP, and over HTTP.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::Moment;
use crate::hook::client;

/// What every script begins with: `smtp()` and `imap()` are connections, `out(...)` is what the test gets.
const PRELUDE: &str = r#"
import imaplib, json, smtplib, sys, threading, time
SMTP, IMAP, SHOP, PASSWORD = int(sys.argv[1]), int(sys.argv[2]), "support@acme.test", "mail-standin-password"
def smtp(user=SHOP, password=PASSWORD):
    client = smtplib.SMTP("127.0.0.1", SMTP, local_hostname="gateway.acme.test", timeout=20)
    client.ehlo()
    if user: client.login(user, password)
    return client
def imap(user=SHOP, password=PASSWORD):
    client = imaplib.IMAP4("127.0.0.1", IMAP, timeout=20)
    if user: client.login(user, password)
    return client
def reply(call, *args):
    try: return [call(*args), None]
    except smtplib.SMTPRecipientsRefused as e: return [None, [list((code, text.decode())) for code, text in e.recipients.values()][0]]
    except smtplib.SMTPResponseException as e: return [None, [e.smtp_code, e.smtp_error.decode()]]
    except smtplib.SMTPServerDisconnected: return [None, "disconnected"]
    except imaplib.IMAP4.abort: return [None, "abort"]
    except imaplib.IMAP4.error as e: return [None, str(e)]
def letter(subject="Hi", more=""):
    return f"From: {SHOP}\r\nTo: mona@example.test\r\nSubject: {subject}\r\nMessage-ID: <{subject}@acme.test>\r\n{more}\r\nText\r\n.dot\r\n".encode()
def out(value): print(json.dumps(value))
"#;

async fn python(mail: &Mail, script: &str) -> Value {
    let mut python = tokio::process::Command::new("/usr/bin/python3");
    python.arg("-c").arg(format!("{PRELUDE}{script}")).args([mail.smtp().port().to_string(), mail.imap().port().to_string()]);
    let output = python.stdin(Stdio::null()).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_letter_arrives_in_its_recipients_mailbox() {
    let mail = Mail::start().await;
    let told = python(
        &mail,
        r#"
s = smtp()
refused = s.sendmail(SHOP, ["Mona@example.test", "unknown@example.test"], letter())
s.sendmail(SHOP, ["mona@example.test"], letter("Second"))
s.quit()
i = imap("mona@example.test")
selected = i.select()
found = i.uid("search", None, "UID 1:*")[1][0].decode()
fetched = i.uid("fetch", "1", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")[1][0]
out({"refused": {k: v[0] for k, v in refused.items()}, "count": selected[1][0].decode(), "found": found,
     "validity": i.untagged_responses["UIDVALIDITY"][0].decode(), "next": i.untagged_responses["UIDNEXT"][0].decode(),
     "line": fetched[0].decode(), "letter": fetched[1].decode()})
"#,
    )
    .await;
    assert_eq!(told["refused"], json!({"unknown@example.test": 550}));
    assert_eq!((&told["count"], &told["found"], &told["next"]), (&json!("2"), &json!("1 2"), &json!("3")), "{told}");
    let letter = told["letter"].as_str().unwrap();
    assert!(letter.starts_with("Return-Path: <support@acme.test>\r\n") && letter.ends_with("\r\nText\r\n.dot\r\n"), "{letter}");
    assert!(told["line"].as_str().unwrap().contains(&format!("RFC822.SIZE {}", letter.len())), "{told}");
    let sent = mail.sent();
    assert_eq!((sent.len(), sent[0].recipients.as_slice()), (2, ["Mona@example.test".to_owned()].as_slice()));
    assert_eq!((sent[0].connection, sent[0].user.as_deref()), (sent[1].connection, Some(SHOP)));
    let recorded = mail.requests_of("SMTP LETTER");
    assert_eq!((recorded[0].text("bare_line_ends").as_str(), recorded[0].text("message_id").as_str()), ("false", "<Hi@acme.test>"));
    assert_eq!(mail.requests_of("SMTP RCPT").iter().map(|asked| asked.status).collect::<Vec<_>>(), [250, 550, 250]);
}

#[tokio::test]
async fn recipients_fail_by_their_names() {
    let mail = Mail::start().await;
    mail.set(|knobs| knobs.slow_ms = 1);
    let told = python(
        &mail,
        r#"
def to(name):
    s = smtp()
    return reply(s.sendmail, SHOP, [name + "@example.test"], letter())
names = ["unknown", "full", "greylist", "greylist", "busy", "quota", "spam", "drop-before", "drop-after", "slow", "rcpt-451-4.3.0", "data-552-5.2.3"]
out([to(name)[1] for name in names])
"#,
    )
    .await;
    let codes: Vec<String> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|reply| match reply {
            Value::Array(reply) => format!("{} {}", reply[0], reply[1].as_str().unwrap().split(' ').next().unwrap()),
            Value::String(text) => text.clone(),
            _ => "taken".to_owned(),
        })
        .collect();
    assert_eq!(
        codes,
        [
            "550 5.1.1",
            "452 4.2.2",
            "450 4.7.1",
            "taken",
            "421 4.7.0",
            "550 5.4.5",
            "554 5.7.1",
            "disconnected",
            "disconnected",
            "taken",
            "451 4.3.0",
            "552 5.2.3"
        ]
    );
    // The letter to drop-after is there, although nobody was told.
    assert_eq!(mail.letters("drop-after@example.test", "INBOX").len(), 1);
    assert!(mail.letters("drop-before@example.test", "INBOX").is_empty());
}

#[tokio::test]
async fn logins_by_every_mechanism_and_none_without() {
    let mail = Mail::start().await;
    let script = r#"
token = lambda t: lambda challenge=None: f"user={SHOP}\x01auth=Bearer {t}\x01\x01" if not challenge else ""
def by(mechanism, password):
    s = smtp(None)
    s.user, s.password = SHOP, password
    answer = {"PLAIN": s.auth_plain, "LOGIN": s.auth_login, "XOAUTH2": token(password)}[mechanism]
    return (reply(s.auth, mechanism, answer) if mechanism != "LOGIN" else reply(lambda: s.auth(mechanism, answer, initial_response_ok=False)))
def tell(result): return result[0][0] if result[0] else result[1][0]
def imap_by(mechanism, said):
    i = imap(None)
    told = reply(i.authenticate, mechanism, lambda challenge: said if not challenge else b"")
    return told[0][0] if told[0] else told[1]
smtp_told = {m: [tell(by(m, p)) for p in (good, "wrong")] for m, good in (("PLAIN", PASSWORD), ("LOGIN", PASSWORD), ("XOAUTH2", "mail-standin-token"))}
s = smtp(None)
xoauth = lambda t: f"user={SHOP}\x01auth=Bearer {t}\x01\x01".encode()
out({"smtp": smtp_told, "without": reply(s.sendmail, SHOP, ["mona@example.test"], letter())[1][0],
     "plain": [imap_by("PLAIN", f"\0{SHOP}\0{p}".encode()) for p in (PASSWORD, "wrong")],
     "xoauth2": [imap_by("XOAUTH2", xoauth(t)) for t in ("mail-standin-token", "old")],
     "login": [reply(imap, SHOP, "wrong")[1]]})
"#;
    let told = python(&mail, script).await;
    assert_eq!(told["smtp"], json!({"PLAIN": [235, 535], "LOGIN": [235, 535], "XOAUTH2": [235, 535]}));
    assert_eq!(told["without"], 530);
    for mechanism in ["plain", "xoauth2"] {
        assert_eq!(told[mechanism][0], "OK", "{told}");
        assert!(told[mechanism][1].as_str().unwrap().contains("[AUTHENTICATIONFAILED]"), "{told}");
    }
    assert!(told["login"][0].as_str().unwrap().contains("[AUTHENTICATIONFAILED]"), "{told}");
    mail.set(|knobs| knobs.refuse_logins = true);
    assert_eq!(python(&mail, "out(reply(smtp)[1][0])").await, 535);
}

#[tokio::test]
async fn starttls_is_refused_or_forged_and_never_granted() {
    let mail = Mail::start().await;
    mail.set(|knobs| knobs.starttls = StartTls::Refused);
    let told = python(&mail, "s = smtp(None); out([s.has_extn('starttls'), s.docmd('STARTTLS')[0]])").await;
    assert_eq!(told, json!([true, 454]));
    mail.set(|knobs| knobs.starttls = StartTls::Injected);
    let mut stream = TcpStream::connect(mail.smtp()).await.unwrap();
    stream.write_all(b"EHLO x\r\nSTARTTLS\r\n").await.unwrap();
    let mut heard = String::new();
    while !heard.contains("250 AUTH PLAIN LOGIN\r\n") {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{heard}");
        heard.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    assert!(heard.contains("220 2.0.0 Ready to start TLS\r\n250-mail.example.test\r\n"), "{heard}");
}

#[tokio::test]
async fn who_idles_hears_of_a_letter_and_of_its_end() {
    let mail = Mail::start().await;
    let waiting = python(
        &mail,
        r#"
i = imap()
i.select(readonly=True)
i.send(b"x1 IDLE\r\n")
lines = [i.readline().decode().strip() for _ in range(3)]
i.send(b"DONE\r\n")
lines.append(i.readline().decode().strip())
out(lines)
"#,
    );
    let acting = async {
        mail.wait_for("IMAP IDLE", 1, Duration::from_secs(10)).await;
        let uid = mail.put(SHOP, "INBOX", "Subject: One\r\n\r\nText\r\n");
        // Each change is told by itself only if the first was heard.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(mail.remove(SHOP, "INBOX", uid));
    };
    let (told, ()) = tokio::join!(waiting, acting);
    assert_eq!(told, json!(["+ idling", "* 1 EXISTS", "* 1 EXPUNGE", "x1 OK Idle completed"]));
}

#[tokio::test]
async fn letters_are_searched_marked_and_numbered_anew() {
    let mail = Mail::start().await;
    for subject in ["One", "Two", "Three"] {
        mail.put(SHOP, "INBOX", format!("Subject: {subject}\r\n\r\nText\r\n"));
    }
    mail.put(SHOP, "Archive", "Subject: Old\r\n\r\nText\r\n");
    let look = r#"
i = imap()
i.select()
search = lambda *keys: i.uid("search", None, *keys)[1][0].decode()
i.uid("store", "2", "+FLAGS", "(\\Seen)")
header = i.uid("fetch", "3", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[]<0.7>)")[1]
out({"above": search("UID", "9:*"), "unseen": search("UNSEEN"), "since": search("SINCE", "1-Jan-2020"), "before": search("BEFORE", "1-Jan-2020"),
     "header": header[0][1].decode(), "part": header[1][1].decode(), "folders": len(i.list()[1]), "validity": i.untagged_responses["UIDVALIDITY"][0].decode(),
     "readonly": i.select("Archive", True)[0], "store": reply(lambda: i.uid("store", "1", "+FLAGS", "(\\Seen)"))[1 - 1][0]})
"#;
    let told = python(&mail, look).await;
    assert_eq!(
        (&told["above"], &told["unseen"], &told["since"], &told["before"]),
        (&json!("3"), &json!("1 3"), &json!("1 2 3"), &json!(""))
    );
    assert_eq!((&told["header"], &told["part"], &told["folders"]), (&json!("Subject: Three\r\n\r\n"), &json!("Subject"), &json!(2)));
    assert_eq!((&told["readonly"], &told["store"]), (&json!("OK"), &json!("NO")));
    assert!(mail.letters(SHOP, "INBOX")[1].flags.contains("\\Seen"));
    let validity = mail.renumber(SHOP, "INBOX");
    assert_ne!(told["validity"], json!(validity.to_string()));
    let subjects: Vec<String> = mail.letters(SHOP, "INBOX").iter().map(|letter| letter.header("subject").unwrap()).collect();
    assert_eq!(subjects, ["Three", "Two", "One"], "the old numbers mean other letters");
}

#[tokio::test]
async fn what_is_planned_goes_wrong() {
    let mail = Mail::start().await;
    mail.put(SHOP, "INBOX", format!("Subject: Long\r\n\r\n{}\r\n", "x".repeat(5_000)));
    mail.fail(Failure::cut("IMAP FETCH", Moment::After));
    mail.fail(Failure::error("IMAP SELECT", 400, "[UNAVAILABLE] Try again later"));
    mail.fail(Failure::error("SMTP MAIL", 451, "4.3.0 Try again later"));
    let told = python(
        &mail,
        r#"
i = imap()
first = i.select()
i.select()
fetch = reply(lambda: i.uid("fetch", "1", "(BODY.PEEK[])"))
s = smtp()
out([first[0], first[1][0].decode(), fetch[1], reply(s.sendmail, SHOP, ["mona@example.test"], letter())[1]])
"#,
    )
    .await;
    assert_eq!(told[0], "NO");
    assert!(told[1].as_str().unwrap().contains("[UNAVAILABLE]"), "{told}");
    assert_eq!((&told[2], &told[3]), (&json!("abort"), &json!([451, "4.3.0 Try again later"])));
    let waiting = python(&mail, "i = imap(); i.select(); i.send(b'x1 IDLE\\r\\n'); out([i.readline().decode(), i.readline().decode()])");
    let cutting = async {
        mail.wait_for("IMAP IDLE", 1, Duration::from_secs(10)).await;
        mail.cut();
    };
    assert_eq!(tokio::join!(waiting, cutting).0, json!(["+ idling\r\n", ""]), "nothing but the end");
}

#[tokio::test]
async fn somebody_answers_and_reports_come_back() {
    let mail = Mail::start().await;
    let send = r#"
s = smtp()
for name in ("mona", "bounce", "away", "displayed"): s.sendmail(SHOP, [name + "@example.test"], letter(name))
i = imap("support@acme.test")
out(1)
"#;
    python(&mail, send).await;
    let http = client();
    let say = json!({"from": "mona@example.test", "name": "منى", "text": "شكرا", "html": "<b>شكرا</b>", "reply": true,
        "attachments": [{"name": "ف.pdf", "mime_type": "application/pdf", "base64": "JVBERi0xLjQK"}]});
    let told: Value = http.post(format!("{}/_standin/say", mail.url())).json(&say).send().await.unwrap().json().await.unwrap();
    assert!(told["message_id"].as_str().unwrap().ends_with("@example.test"), "{told}");
    // Read by another program than wrote them.
    let read = r#"
import email, email.policy
i = imap()
i.select()
letters = [email.message_from_bytes(i.uid("fetch", n, "(BODY.PEEK[])")[1][0][1], policy=email.policy.default) for n in ("1", "2", "3", "4")]
bounce, away, displayed, answer = letters
out({"bounce": [bounce.get_content_type(), [p.get_content_type() for p in bounce.iter_parts()], list(bounce.iter_parts())[1].get_payload()[1]["status"],
                email.message_from_string(list(bounce.iter_parts())[2].get_payload())["message-id"]],
     "away": [away["auto-submitted"], away["in-reply-to"], away["subject"]],
     "displayed": [displayed.get_content_type(), displayed.get_param("report-type")],
     "answer": [answer["from"], answer["subject"], answer["in-reply-to"], answer["references"], answer.get_body(("plain",)).get_content().strip(),
                answer.get_body(("html",)).get_content().strip(), [[p.get_filename(), p.get_content().decode()] for p in answer.iter_attachments()]]})
"#;
    let read = python(&mail, read).await;
    let parts = ["text/plain", "message/delivery-status", "text/rfc822-headers"];
    assert_eq!(read["bounce"], json!(["multipart/report", parts, "5.1.1", "<bounce@acme.test>"]));
    assert_eq!(read["away"], json!(["auto-replied", "<away@acme.test>", "Out of office"]));
    assert_eq!(read["displayed"], json!(["multipart/report", "disposition-notification"]));
    let answer = json!([
        "منى <mona@example.test>",
        "Re: mona",
        "<mona@acme.test>",
        "<mona@acme.test>",
        "شكرا",
        "<b>شكرا</b>",
        [["ف.pdf", "%PDF-1.4\n"]]
    ]);
    assert_eq!(read["answer"], answer);
}

#[tokio::test]
async fn who_consents_gets_tokens_that_end() {
    let mail = Mail::start().await;
    let http = client();
    let url = |path: &str| format!("{}{path}", mail.url());
    let consent =
        url("/o/oauth2/v2/auth?redirect_uri=http://127.0.0.1:1/back&state=s&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let back = http.get(consent).send().await.unwrap();
    let back = url::Url::parse(back.headers()["location"].to_str().unwrap()).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let ask = |form: Vec<(&'static str, String)>| {
        let request = http.post(url("/token")).form(&form);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let grant = |verifier: &str| {
        vec![("grant_type", "authorization_code".to_owned()), ("code", code.clone()), ("code_verifier", verifier.to_owned())]
    };
    let tokens = ask(grant(verifier)).await;
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(ask(grant(verifier)).await["error"], "invalid_grant", "a code is good once");
    let info = |token: String| {
        let request = http.get(url("/tokeninfo")).query(&[("access_token", token)]);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    assert_eq!(info(access.clone()).await["email"], SHOP);
    mail.expire_tokens();
    assert_eq!(info(access).await["error"], "invalid_token");
    let refresh = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", tokens["refresh_token"].as_str().unwrap().to_owned())];
    assert_eq!(info(ask(refresh).await["access_token"].as_str().unwrap().to_owned()).await["email"], SHOP);
}
