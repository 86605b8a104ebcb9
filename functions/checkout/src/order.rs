//! Orders: what a client may ask for, and what it costs.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub const MAX_ITEMS: usize = 100;
pub const MAX_SKU: usize = 64;
pub const MAX_QUANTITY: u64 = 1000;
pub const MAX_UNIT_PRICE_CENTS: u64 = 100_000_000;

#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Order<'a> {
    #[serde(borrow)]
    pub items: Vec<Item<'a>>,
}

#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Item<'a> {
    #[serde(borrow)]
    pub sku: Cow<'a, str>,
    pub quantity: u64,
    pub unit_price_cents: u64,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Quote {
    pub items: usize,
    pub quantity: u64,
    pub total_cents: u64,
}

/// Reads an order; an error names the value, its limit and the fix.
pub fn parse(body: &[u8]) -> Result<(Order<'_>, Quote), String> {
    if body.is_empty() {
        return Err(r#"the body is empty; send {"items":[{"sku":"a","quantity":1,"unit_price_cents":100}]}"#.to_owned());
    }
    let order: Order<'_> = serde_json::from_slice(body).map_err(|error| format!("the body is no order: {error}"))?;
    let quote = quote(&order)?;
    Ok((order, quote))
}

/// The limits keep the sum far below what a u64 holds.
fn quote(order: &Order<'_>) -> Result<Quote, String> {
    let count = order.items.len();
    if count == 0 || count > MAX_ITEMS {
        return Err(format!("items: {count} is not from 1 to {MAX_ITEMS}; split the order"));
    }
    let mut quote = Quote { items: count, quantity: 0, total_cents: 0 };
    for (index, item) in order.items.iter().enumerate() {
        if let Some(problem) = problem(item) {
            return Err(format!("items[{index}].{problem}"));
        }
        quote.quantity += item.quantity;
        quote.total_cents += item.quantity * item.unit_price_cents;
    }
    Ok(quote)
}

fn problem(item: &Item<'_>) -> Option<String> {
    let length = item.sku.len();
    if length == 0 || length > MAX_SKU {
        return Some(format!("sku: {length} bytes are not from 1 to {MAX_SKU}; use the catalogue's"));
    }
    if !item.sku.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Some("sku: may have letters, digits, dots, dashes and underscores; use the catalogue's".to_owned());
    }
    if item.quantity == 0 || item.quantity > MAX_QUANTITY {
        let quantity = item.quantity;
        return Some(format!("quantity: {quantity} is not from 1 to {MAX_QUANTITY}; split the order"));
    }
    if item.unit_price_cents > MAX_UNIT_PRICE_CENTS {
        let price = item.unit_price_cents;
        return Some(format!("unit_price_cents: {price} is above {MAX_UNIT_PRICE_CENTS}; ask for an offer"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        parse(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn sums_up_an_order() {
        let body = br#"{"items":[{"sku":"a-1","quantity":2,"unit_price_cents":150},
            {"sku":"b","quantity":1,"unit_price_cents":0}]}"#;
        let quote = parse(body).unwrap().1;
        assert_eq!((quote.items, quote.quantity, quote.total_cents), (2, 3, 300));
    }

    #[test]
    fn the_largest_order_does_not_overflow() {
        let item = format!(r#"{{"sku":"a","quantity":{MAX_QUANTITY},"unit_price_cents":{MAX_UNIT_PRICE_CENTS}}}"#);
        let body = format!(r#"{{"items":[{}]}}"#, vec![item; MAX_ITEMS].join(","));
        assert_eq!(parse(body.as_bytes()).unwrap().1.total_cents, 10_000_000_000_000);
    }

    #[test]
    fn tells_what_is_wrong_where() {
        let item = |sku: &str, quantity: &str, price: &str| {
            error(&format!(r#"{{"items":[{{"sku":"{sku}","quantity":{quantity},"unit_price_cents":{price}}}]}}"#))
        };
        for (message, part) in [
            (error(""), "the body is empty"),
            (error("{"), "the body is no order: EOF"),
            (error("[]"), "the body is no order"),
            (error(r#"{"items":[]}"#), "items: 0 is not from 1 to 100"),
            (error(r#"{"items":[],"coupon":1}"#), "unknown field `coupon`"),
            (error(r#"{"items":[{"sku":"a"}]}"#), "missing field `quantity`"),
            (item("", "1", "1"), "items[0].sku: 0 bytes"),
            (item("a b", "1", "1"), "items[0].sku: may have"),
            (item("a", "0", "1"), "items[0].quantity: 0 is not"),
            (item("a", "1001", "1"), "items[0].quantity: 1001 is not"),
            (item("a", "-1", "1"), "invalid value"),
            (item("a", "1.5", "1"), "invalid type"),
            (item("a", "1", "100000001"), "items[0].unit_price_cents: 100000001 is above"),
            (item("a", "1", "99999999999999999999999"), "the body is no order"),
        ] {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
}
