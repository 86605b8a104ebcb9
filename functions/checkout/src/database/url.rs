//! `postgres://user:password@host:port/database`: a secret, so nothing here ever shows it.

use std::fmt;

#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    pub user: String,
    pub password: String,
    pub host: String,
    pub port: u16,
    pub database: String,
}

/// Not even a debugger's print has the password.
impl fmt::Debug for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "postgres://…@{}:{}/{}", self.host, self.port, self.database)
    }
}

impl Url {
    /// An error says what is wrong without quoting the URL.
    pub fn parse(text: &str) -> Result<Url, &'static str> {
        let text = text.trim_end_matches(['\n', '\r']);
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or("does not begin with postgres://")?;
        if rest.contains(['?', '#']) {
            return Err("has parameters, of which none is known; leave them out (TLS is not spoken)");
        }
        let (credentials, rest) = rest.rsplit_once('@').ok_or("has no user; write user:password@")?;
        let (user, password) = credentials.split_once(':').ok_or("has no password; write user:password@")?;
        let (address, database) = rest.split_once('/').ok_or("has no database; end it with /name")?;
        let (host, port) = address.split_once(':').unwrap_or((address, "5432"));
        let port = port.parse().ok().filter(|&port| port != 0).ok_or("has a port that is no number from 1 to 65535")?;
        let host_fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if host.is_empty() || !host.bytes().all(host_fits) {
            return Err("has a host that is neither a name nor an IPv4 address");
        }
        let encoded = "has a part with a % that begins no %XX, or with a NUL";
        let part = |text: &str| decode(text).filter(|text| !text.contains('\0')).ok_or(encoded);
        let url = Url {
            user: part(user)?,
            password: part(password)?,
            host: host.to_owned(),
            port,
            database: part(database)?,
        };
        if url.user.is_empty() || url.database.is_empty() || url.database.contains('/') {
            return Err("has no user or no database; write postgres://user:password@host:port/database");
        }
        Ok(url)
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digit = |at: usize| char::from(digits[at]).to_digit(16);
        bytes.push((digit(0)? * 16 + digit(1)?) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_url_apart() {
        let url = Url::parse("postgres://shop:p%40ss%3Aw@db.example:6432/orders\n").unwrap();
        assert_eq!((url.user.as_str(), url.password.as_str()), ("shop", "p@ss:w"));
        assert_eq!((url.host.as_str(), url.port, url.database.as_str()), ("db.example", 6432, "orders"));
        assert_eq!(Url::parse("postgresql://a:b@10.0.0.1/c").unwrap().port, 5432);
    }

    #[test]
    fn refuses_what_is_no_url_without_quoting_it() {
        for text in [
            "",
            "mysql://shop:hunter2@db/orders",
            "postgres://db/orders",
            "postgres://hunter2@db/orders",
            "postgres://shop:hunter2@db",
            "postgres://shop:hunter2@db/",
            "postgres://:hunter2@db/orders",
            "postgres://shop:hunter2@/orders",
            "postgres://shop:hunter2@[::1]/orders",
            "postgres://shop:hunter2@db:0/orders",
            "postgres://shop:hunter2@db:99999/orders",
            "postgres://shop:hunter2%4@db/orders",
            "postgres://shop:hunter2%00@db/orders",
            "postgres://shop:hunter2@db/orders?sslmode=require",
        ] {
            let error = Url::parse(text).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn shows_neither_user_nor_password() {
        let url = Url::parse("postgres://shop:hunter2@db/orders").unwrap();
        assert_eq!(format!("{url:?}"), "postgres://…@db:5432/orders");
    }
}
