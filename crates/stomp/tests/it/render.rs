//! Requests and bytes as transcript lines.

use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{Address, Deliveries, Message, Request, Schedule, Settlement, Subscribe, Token};
use std::fmt::Write;

fn optional<T: std::fmt::Display>(name: &str, value: Option<T>) -> String {
    value.map_or_else(String::new, |value| format!(" {name}={value}"))
}

fn confirm(token: Option<Token>) -> String {
    optional("confirm", token.map(|token| token.0))
}

fn address(address: &Address) -> String {
    address.leaves.iter().map(|leaf| leaf.to_string()).collect::<Vec<_>>().join(",")
}

pub(crate) fn request(request: &Request) -> String {
    match request {
        Request::Connect { client_id, user, confirm, .. } => {
            format!(
                "Connect{}{} confirm={}",
                optional("client-id", client_id.as_ref()),
                optional("user", user.as_ref()),
                confirm.0
            )
        }
        Request::AddProducer { producer, address: to, .. } => format!("AddProducer {} to={}", producer.0, address(to)),
        Request::RemoveProducer { producer } => format!("RemoveProducer {}", producer.0),
        Request::Send { producer, message, transaction, confirm: token } => {
            let transaction = optional("transaction", transaction.map(|it| it.0));
            format!("Send {}{transaction}{} {}", producer.0, confirm(*token), show_message(message))
        }
        Request::Subscribe(wishes) => subscribe(wishes),
        Request::Unsubscribe { subscription, confirm: token, .. } => {
            format!("Unsubscribe {}{}", subscription.0, confirm(*token))
        }
        Request::DeleteDurable { name, confirm: token } => format!("DeleteDurable {name}{}", confirm(*token)),
        Request::Settle { subscription, deliveries, settlement, transaction, confirm: token } => {
            let which = match deliveries {
                Deliveries::One(one) => format!("{}", one.0),
                Deliveries::Through(last) => format!("..={}", last.0),
                Deliveries::Range(first, last) => format!("{}..={}", first.0, last.0),
            };
            let settlement = match settlement {
                Settlement::Poisoned(cause) => format!("Poisoned({cause})"),
                other => format!("{other:?}"),
            };
            let transaction = optional("transaction", transaction.map(|it| it.0));
            format!("Settle {} {which} {settlement}{transaction}{}", subscription.0, confirm(*token))
        }
        Request::Begin { transaction, confirm: token, .. } => format!("Begin {}{}", transaction.0, confirm(*token)),
        Request::Commit { transaction, confirm: token } => format!("Commit {}{}", transaction.0, confirm(*token)),
        Request::Rollback { transaction, confirm: token } => format!("Rollback {}{}", transaction.0, confirm(*token)),
        Request::CreateTemporary { destination, confirm: token } => {
            format!("CreateTemporary {destination}{}", confirm(*token))
        }
        Request::DeleteTemporary { destination, confirm: token } => {
            format!("DeleteTemporary {destination}{}", confirm(*token))
        }
        Request::Confirm { confirm } => format!("Confirm confirm={}", confirm.0),
        other => format!("{other:?}"),
    }
}

fn subscribe(wishes: &Subscribe) -> String {
    let mode = match &wishes.mode {
        SubscribeMode::Consume => String::new(),
        SubscribeMode::Browse => " browse".to_owned(),
        SubscribeMode::Durable(name) => format!(" durable={name}"),
        SubscribeMode::Shared(name) => format!(" shared={name}"),
        SubscribeMode::SharedDurable(name) => format!(" shared-durable={name}"),
    };
    let flag = |is_set: bool, name: &str| if is_set { format!(" {name}") } else { String::new() };
    format!(
        "Subscribe {} to={}{mode} {:?} prefetch={}{}{}{}{}{}{}{}",
        wishes.subscription.0,
        address(&wishes.address),
        wishes.settles,
        wishes.prefetch,
        optional("selector", wishes.selector.as_ref().map(|text| format!("[{text}]"))),
        flag(wishes.no_local, "no-local"),
        flag(wishes.exclusive, "exclusive"),
        flag(wishes.retroactive, "retroactive"),
        optional("priority", Some(wishes.priority).filter(|&priority| priority != 0)),
        optional("pending", wishes.pending_limit),
        confirm(wishes.confirm),
    )
}

fn show_message(message: &Message) -> String {
    let header = &message.header;
    let annotations = message.annotations();
    let neutral = message.dialect.to_neutral(message);
    format!(
        "{} {} {:?} priority={} timestamp={}{}{}{}{}{}{} {}",
        header.id,
        header.destination,
        header.mode,
        header.priority,
        header.timestamp.0,
        optional("expires", header.expiration.map(|at| at.0)),
        optional("correlation", annotations.and_then(|it| it.correlation_id.as_ref())),
        optional("reply-to", annotations.and_then(|it| it.reply_to.as_ref())),
        optional("type", annotations.and_then(|it| it.kind.as_ref())),
        optional("group", annotations.and_then(|it| it.group.as_ref()).map(|it| format!("{}/{}", it.id, it.sequence))),
        optional("schedule", annotations.and_then(|it| it.schedule.as_deref()).map(show_schedule)),
        match neutral {
            Ok(neutral) => {
                let properties: Vec<_> =
                    neutral.properties.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
                format!("[{}] {:?}", properties.join(" "), neutral.body)
            }
            Err(malformed) => malformed.to_string(),
        }
    )
}

fn show_schedule(schedule: &Schedule) -> String {
    let Schedule { delay_ms, period_ms, repeat, cron, is_delivery_delay, .. } = schedule;
    let kind = if *is_delivery_delay { "delivery" } else { "schedule" };
    format!("{kind}:{delay_ms}/{period_ms}/{repeat}{}", optional("cron", cron.as_ref()))
}

/// Written bytes, a line of the frame a line.
pub(crate) fn frames(bytes: &[u8]) -> String {
    let mut shown = String::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if rest[0] == b'\n' {
            shown.push_str("< ⏎\n");
            rest = &rest[1..];
            continue;
        }
        let head = rest.windows(2).position(|two| two == b"\n\n").expect("a frame has a blank line");
        let text = std::str::from_utf8(&rest[..head]).expect("headers are UTF-8");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).map(|it| it.parse().unwrap());
        let body = &rest[head + 2..];
        let length: usize =
            length.unwrap_or_else(|| body.iter().position(|&byte| byte == 0).expect("a NUL at the end"));
        assert_eq!(body[length], 0, "a NUL behind the body");
        for line in text.lines() {
            writeln!(shown, "< {}", line.replace('\r', "␍")).unwrap();
        }
        shown.push_str("<\n");
        if length > 0 {
            let body = String::from_utf8_lossy(&body[..length]).replace('\0', "␀");
            for line in body.split('\n') {
                writeln!(shown, "< {line}").unwrap();
            }
        }
        rest = &body[length + 1..];
    }
    shown
}

/// `\n`, `\r`, `\0`, `\xNN` and `\\` of a raw line.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match characters.next() {
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('0') => bytes.push(0),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                let digits: String = characters.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            other => panic!("no escape {other:?}"),
        }
    }
    bytes
}
