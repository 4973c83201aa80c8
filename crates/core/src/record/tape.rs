//! The strict reader: canonical JSON in one pass, into a flat tape of borrowed slices.
//!
//! It takes exactly what [`canonical`](super::canonical) writes. A tape is filled again and again without allocating;
//! together with comparing only what the format names, that makes reading a log about as fast as hashing it.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::json::{Flaw, MAX_DEPTH, MAX_INTEGER, diagnose, key_order};
use crate::value::is_forbidden;

/// The last text that was read, flat: every value with its key, parents before what is in them.
#[derive(Debug, Default)]
pub(crate) struct Tape<'a> {
    nodes: Vec<Node<'a>>,
    forbidden: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Node<'a> {
    /// As it stands in the text; empty in an array and at the top.
    key: &'a str,
    text: &'a str,
    number: i64,
    tag: Tag,
    /// Where the next value of the same parent stands, or where the parent ends.
    next: u32,
}

/// What a node is. It is kept apart from what it holds, which costs less than moving an enum that holds it.
#[derive(Clone, Copy, Debug)]
enum Tag {
    Text,
    Escaped,
    Integer,
    Bool,
    Object,
    Array,
}

/// A value; what is in an object or array follows it on the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data<'a> {
    /// A string without escapes.
    Text(&'a str),
    /// A string with escapes, as it stands in the text.
    Escaped(&'a str),
    /// From −(2^53 − 1) to 2^53 − 1.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
    /// An object.
    Object,
    /// An array.
    Array,
}

impl<'a> Tape<'a> {
    /// An empty tape.
    pub(crate) fn new() -> Tape<'a> {
        Tape { nodes: Vec::with_capacity(96), forbidden: None }
    }

    /// Reads `bytes`, which must be one canonical object.
    pub(crate) fn read(&mut self, bytes: &'a [u8]) -> Result<(), Flaw> {
        self.nodes.clear();
        self.forbidden = None;
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(diagnose(bytes, "not UTF-8"));
        };
        let mut reader = Reader { text, bytes, at: 0, nodes: &mut self.nodes, forbidden: &mut self.forbidden };
        let read = match bytes.first() {
            Some(b'{') => reader.value("", 0),
            _ => Err("not an object"),
        };
        match read {
            Ok(()) if reader.at == bytes.len() => Ok(()),
            Ok(()) => Err(diagnose(bytes, &format!("something stands after the object at byte {}", reader.at))),
            Err(why) => Err(diagnose(bytes, &format!("{why} at byte {}", reader.at))),
        }
    }

    /// The object that was read.
    pub(crate) fn top(&self) -> Value<'_, 'a> {
        Value { nodes: &self.nodes, at: 0 }
    }

    /// The byte at which a key or string first has a character that no entry may hold.
    pub(crate) fn forbidden(&self) -> Option<usize> {
        self.forbidden
    }
}

/// A value on a tape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'t, 'a> {
    nodes: &'t [Node<'a>],
    at: usize,
}

impl<'t, 'a> Value<'t, 'a> {
    /// The value itself.
    pub(crate) fn data(self) -> Data<'a> {
        let Some(node) = self.nodes.get(self.at) else { return Data::Bool(false) };
        match node.tag {
            Tag::Text => Data::Text(node.text),
            Tag::Escaped => Data::Escaped(node.text),
            Tag::Integer => Data::Integer(node.number),
            Tag::Bool => Data::Bool(node.number == 1),
            Tag::Object => Data::Object,
            Tag::Array => Data::Array,
        }
    }

    /// Its key, as it stands in the text.
    pub(crate) fn key(self) -> &'a str {
        self.nodes.get(self.at).map_or("", |node| node.key)
    }

    /// The string, if it is one.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self.data() {
            Data::Text(text) => Some(Cow::Borrowed(text)),
            Data::Escaped(text) => Some(Cow::Owned(unescape(text))),
            _ => None,
        }
    }

    /// What is in the object or array, in order; nothing for anything else.
    pub(crate) fn children(self) -> Children<'t, 'a> {
        let end = self.nodes.get(self.at).map_or(0, |node| node.next as usize);
        Children { nodes: self.nodes, at: self.at + 1, end }
    }
}

/// The values in an object or array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Children<'t, 'a> {
    nodes: &'t [Node<'a>],
    at: usize,
    end: usize,
}

impl<'t, 'a> Children<'t, 'a> {
    /// The field `name`, if it is among those that are left. Names must be asked for in their canonical order: what
    /// stands before `name` is passed over.
    // Inlined for each name, so that comparing with it is one or two machine words; the field is nearly always next.
    #[inline(always)]
    pub(crate) fn seek(&mut self, name: &str) -> Option<Value<'t, 'a>> {
        while self.at < self.end {
            let node = self.nodes.get(self.at)?;
            if node.key == name {
                let found = Value { nodes: self.nodes, at: self.at };
                self.at = node.next as usize;
                return Some(found);
            }
            if !before(node.key, name) {
                return None;
            }
            self.at = node.next as usize;
        }
        None
    }
}

impl<'t, 'a> Iterator for Children<'t, 'a> {
    type Item = Value<'t, 'a>;

    fn next(&mut self) -> Option<Value<'t, 'a>> {
        if self.at >= self.end {
            return None;
        }
        let found = Value { nodes: self.nodes, at: self.at };
        self.at = self.nodes.get(self.at)?.next as usize;
        Some(found)
    }
}

/// The characters of a canonical string that has escapes.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('f') => out.push('\u{c}'),
            Some('r') => out.push('\r'),
            Some('u') => {
                let hex: String = chars.by_ref().take(4).collect();
                out.extend(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32));
            }
            other => out.extend(other),
        }
    }
    out
}

struct Reader<'a, 't> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: &'t mut Vec<Node<'a>>,
    forbidden: &'t mut Option<usize>,
}

type Read<T> = Result<T, &'static str>;

impl<'a> Reader<'a, '_> {
    #[inline]
    fn peek(&self) -> u8 {
        // 0 stands in no canonical text, so it can mean the end.
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn expect(&mut self, byte: u8, why: &'static str) -> Read<()> {
        if self.peek() == byte {
            self.at += 1;
            return Ok(());
        }
        Err(why)
    }

    #[inline]
    fn push(&mut self, key: &'a str, text: &'a str, number: i64, tag: Tag) {
        // An entry has fewer values than bytes, and those are few.
        self.nodes.push(Node { key, text, number, tag, next: self.nodes.len() as u32 + 1 });
    }

    #[inline]
    fn value(&mut self, key: &'a str, depth: usize) -> Read<()> {
        match self.peek() {
            b'"' => {
                let (text, tag) = self.string()?;
                self.push(key, text, 0, tag);
            }
            b'0'..=b'9' | b'-' => {
                let number = self.integer()?;
                self.push(key, "", number, Tag::Integer);
            }
            b'{' => self.object(key, depth)?,
            b'[' => self.array(key, depth)?,
            b't' => self.word("true", key, 1)?,
            b'f' => self.word("false", key, 0)?,
            b'n' => return Err("null"),
            _ => return Err("not a value"),
        }
        Ok(())
    }

    fn word(&mut self, word: &str, key: &'a str, number: i64) -> Read<()> {
        match self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            true => {
                self.at += word.len();
                self.push(key, "", number, Tag::Bool);
                Ok(())
            }
            false => Err("not a value"),
        }
    }

    fn object(&mut self, key: &'a str, depth: usize) -> Read<()> {
        let this = self.open(key, Tag::Object, depth)?;
        if self.peek() != b'}' {
            let mut last: Option<(&'a str, bool)> = None;
            loop {
                if self.peek() != b'"' {
                    return Err("no key");
                }
                let (key, tag) = self.string()?;
                let escaped = matches!(tag, Tag::Escaped);
                if last.is_some_and(|last| !in_order(last, (key, escaped))) {
                    return Err("a key out of order");
                }
                last = Some((key, escaped));
                self.expect(b':', "no ':' after a key")?;
                self.value(key, depth + 1)?;
                if self.peek() != b',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(b'}', "no ',' or '}' after a value")?;
        self.close(this);
        Ok(())
    }

    fn array(&mut self, key: &'a str, depth: usize) -> Read<()> {
        let this = self.open(key, Tag::Array, depth)?;
        if self.peek() != b']' {
            loop {
                self.value("", depth + 1)?;
                if self.peek() != b',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(b']', "no ',' or ']' after a value")?;
        self.close(this);
        Ok(())
    }

    fn open(&mut self, key: &'a str, tag: Tag, depth: usize) -> Read<usize> {
        if depth >= MAX_DEPTH {
            return Err("more than 64 levels");
        }
        let this = self.nodes.len();
        self.push(key, "", 0, tag);
        self.at += 1;
        Ok(this)
    }

    fn close(&mut self, this: usize) {
        let next = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(this) {
            node.next = next as u32;
        }
    }

    /// An integer without a leading zero, up to 2^53 − 1. What follows it is judged by who called.
    fn integer(&mut self) -> Read<i64> {
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let start = self.at;
        let mut size = 0u64;
        while let digit @ b'0'..=b'9' = self.peek() {
            size = size * 10 + u64::from(digit - b'0');
            self.at += 1;
            if size > MAX_INTEGER {
                return Err("an integer beyond 2^53 - 1");
            }
        }
        let digits = self.at - start;
        let zero = self.bytes.get(start) == Some(&b'0');
        if digits == 0 || (zero && (negative || digits > 1)) {
            return Err("not an integer, or one with a needless zero or sign");
        }
        let size = size as i64;
        Ok(if negative { -size } else { size })
    }

    /// The string that begins here, without its quotes.
    #[inline(always)]
    fn string(&mut self) -> Read<(&'a str, Tag)> {
        let start = self.at + 1;
        self.at = plain_end(self.bytes, start);
        if self.peek() != b'"' {
            return self.string_with_more(start);
        }
        let text = self.text.get(start..self.at).ok_or("not UTF-8")?;
        self.at += 1;
        Ok((text, Tag::Text))
    }

    /// The rest of a string that has escapes, or characters beyond ASCII.
    #[cold]
    fn string_with_more(&mut self, start: usize) -> Read<(&'a str, Tag)> {
        let mut escaped = false;
        loop {
            match self.peek() {
                b'"' => {
                    let text = self.text.get(start..self.at).ok_or("not UTF-8")?;
                    self.at += 1;
                    return Ok((text, if escaped { Tag::Escaped } else { Tag::Text }));
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                0x00..=0x1f => return Err("a string that does not end, or a control character in it"),
                _ => self.beyond_ascii()?,
            }
            self.at = plain_end(self.bytes, self.at);
        }
    }

    #[cold]
    fn beyond_ascii(&mut self) -> Read<()> {
        let char = self.text.get(self.at..).and_then(|rest| rest.chars().next()).ok_or("not UTF-8")?;
        if is_forbidden(char) {
            self.forbidden.get_or_insert(self.at);
        }
        self.at += char.len_utf8();
        Ok(())
    }

    /// An escape that had to be one. All but `\"` and `\\` stand for control characters.
    #[cold]
    fn escape(&mut self) -> Read<()> {
        let why = "an escape that is not needed, or not in its shortest form";
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\') => 2,
            Some(b'b' | b't' | b'n' | b'f' | b'r') => {
                self.forbidden.get_or_insert(self.at);
                2
            }
            Some(b'u') => match self.bytes.get(self.at + 2..self.at + 6) {
                Some([b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f'])
                | Some([b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f']) => {
                    self.forbidden.get_or_insert(self.at);
                    6
                }
                _ => return Err(why),
            },
            _ => return Err(why),
        };
        self.at += length;
        Ok(())
    }
}

/// Where from `at` on the first byte stands that is a quote, a backslash, a control character or not printable ASCII.
#[inline(always)]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const BLOCK: usize = 32;
    let Some(mut rest) = bytes.get(at..) else { return at };
    // Most keys and many values end here.
    if let Some(chunk) = rest.first_chunk::<8>() {
        match marks(u64::from_le_bytes(*chunk)) {
            0 => at += 8,
            marks => return at + (marks.trailing_zeros() / 8) as usize,
        }
        rest = rest.get(8..).unwrap_or_default();
        // Without a way out of the inner loop, the machine takes a block at once.
        while let Some(block) = rest.first_chunk::<BLOCK>() {
            if block.iter().fold(false, |found, byte| found | !is_plain(*byte)) {
                break;
            }
            at += BLOCK;
            rest = rest.get(BLOCK..).unwrap_or_default();
        }
        while let Some(chunk) = rest.first_chunk::<8>() {
            match marks(u64::from_le_bytes(*chunk)) {
                0 => at += 8,
                marks => return at + (marks.trailing_zeros() / 8) as usize,
            }
            rest = rest.get(8..).unwrap_or_default();
        }
    }
    at + rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len())
}

#[inline(always)]
fn is_plain(byte: u8) -> bool {
    (byte.wrapping_sub(0x20) < 0x5f) & (byte != b'"') & (byte != b'\\')
}

/// Marks in each byte's highest bit that it is not plain. Bytes above the first that is marked may be marked wrongly.
#[inline(always)]
fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let high = word | word.wrapping_add(ONES);
    (quote | backslash | control | high) & HIGH
}

#[inline]
fn in_order(last: (&str, bool), key: (&str, bool)) -> bool {
    match last.1 || key.1 {
        false => before(last.0, key.0),
        true => key_order(&unescape(last.0), &unescape(key.0)) == Ordering::Less,
    }
}

#[inline]
fn before(a: &str, b: &str) -> bool {
    // The first byte decides almost always, and two ASCII bytes are in the same order in UTF-16.
    match (a.as_bytes().first(), b.as_bytes().first()) {
        (Some(first), Some(second)) if first != second && (first | second).is_ascii() => first < second,
        _ => key_order(a, b) == Ordering::Less,
    }
}
