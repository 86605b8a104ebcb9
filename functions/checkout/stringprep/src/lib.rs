//! Stands in for the crate `stringprep`, of which `postgres-protocol` uses this one function.

use std::borrow::Cow;

/// The text is nothing that this can prepare. A client then takes the password as it is, as libpq does.
#[derive(Debug)]
pub struct Error;

/// SASLprep (RFC 4013) leaves printable ASCII as it is and prohibits control characters; beyond ASCII it needs tables.
pub fn saslprep(text: &str) -> Result<Cow<'_, str>, Error> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(Cow::Borrowed(text))
    } else {
        Err(Error)
    }
}

#[cfg(test)]
mod tests {
    use super::saslprep;

    #[test]
    fn leaves_printable_ascii_as_it_is() {
        assert_eq!(saslprep("pa ss~word!").unwrap(), "pa ss~word!");
    }

    #[test]
    fn refuses_control_characters_and_what_lies_beyond_ascii() {
        assert!(saslprep("a\u{7}b").is_err());
        assert!(saslprep("pässword").is_err());
    }
}
