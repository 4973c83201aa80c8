//! Arguments, read by serde. An error names the wrong part of an argument, and quotes no more of it than the core would.

use std::fmt::{self, Display};

use napi::bindgen_prelude::{ClassInstance, FromNapiValue, Object, Unknown};
use napi::{Env, JsValue as _, Status, ValueType, sys};
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Unexpected};
use tagwarden::{Error, ErrorKind};

use crate::call::{Abort, Failure};
use crate::js::Js;

/// Reads an argument with this name, if it has one.
#[allow(unsafe_code, reason = "every conversion of napi is an unsafe function")]
pub unsafe fn read<T: DeserializeOwned>(env: sys::napi_env, value: sys::napi_value, name: &[&str]) -> napi::Result<T> {
    let value = unsafe { Unknown::from_napi_value(env, value) }?;
    let wrong = |wrong: Wrong| name.iter().fold(wrong, |wrong, name| wrong.within(name)).thrown(&Env::from_raw(env));
    T::deserialize(Js(value)).map_err(wrong)
}

/// The options of a constructor. The error of a wrong one names the class.
pub fn options_of<T: DeserializeOwned + Default>(class: &str, options: Option<Unknown<'_>>) -> napi::Result<T> {
    let Some(options) = options else { return Ok(T::default()) };
    T::deserialize(Js(options)).map_err(|wrong| wrong.within(class).thrown(&Env::from_raw(options.value().env)))
}

/// The options of a call, and the signal that aborts it.
pub struct Options<T = NoOptions> {
    pub abort: Option<Abort>,
    pub rest: T,
}

/// The options of a call that has no option but its signal.
#[derive(Default, Deserialize)]
pub struct NoOptions {}

impl<T: Default> Default for Options<T> {
    fn default() -> Options<T> {
        Options { abort: None, rest: T::default() }
    }
}

/// The option that no struct has a field for. `lib/call.js` makes it a function that takes the function to abort with.
pub const SIGNAL: &str = "signal";

impl<T: DeserializeOwned> Options<T> {
    /// Reads the options of a call.
    pub fn read(value: Unknown<'_>) -> napi::Result<Options<T>> {
        let env = Env::from_raw(value.value().env);
        let object = match value.get_type()? {
            ValueType::Undefined => Object::new(&env)?,
            ValueType::Object => value.coerce_to_object()?,
            _ => return Err(Wrong::odd("the options of a call are an object").thrown(&env)),
        };
        let rest = T::deserialize(Js(object.to_unknown())).map_err(|wrong| wrong.thrown(&env))?;
        let abort = object.get(SIGNAL)?.map(|listen| Abort::when(&env, listen)).transpose()?;
        Ok(Options { abort, rest })
    }
}

impl<T: DeserializeOwned> FromNapiValue for Options<T> {
    #[allow(unsafe_code, reason = "every conversion of napi is an unsafe function")]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        Options::read(unsafe { Unknown::from_napi_value(env, value) }?)
    }
}

/// The error of an argument.
#[derive(Debug)]
pub struct Wrong {
    /// The names of the parts that lead to the wrong one, the innermost first.
    path: Vec<String>,
    why: String,
    /// True if the type is right and the value is not: the innermost name is then `invalid`.
    invalid: bool,
    /// True for a TypeError.
    odd: bool,
}

impl Wrong {
    /// A value of a type that no argument has.
    pub fn odd(why: impl Display) -> Wrong {
        Wrong { path: Vec::new(), why: why.to_string(), invalid: false, odd: true }
    }

    /// The same, as a TypeError.
    pub fn of_type(self) -> Wrong {
        Wrong { odd: true, ..self }
    }

    pub fn within(mut self, name: &str) -> Wrong {
        self.path.push(name.to_owned());
        self
    }

    /// The exception: a TypeError, or VALUE_INVALID.
    pub fn thrown(self, env: &Env) -> napi::Error {
        match self.odd {
            true => env
                .throw_type_error(&self.to_string(), None)
                .map_or_else(|error| error, |()| napi::Error::new(Status::PendingException, self.to_string())),
            false => Failure::from(Error::new(ErrorKind::ValueInvalid, self.to_string())).into(),
        }
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, name) in self.path.iter().enumerate().rev() {
            let invalid = if depth == 0 && self.invalid { "invalid " } else { "" };
            write!(f, "{invalid}{name}: ")?;
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for Wrong {}

impl From<napi::Error> for Wrong {
    fn from(error: napi::Error) -> Wrong {
        Wrong::odd(error.reason)
    }
}

impl de::Error for Wrong {
    fn custom<T: Display>(why: T) -> Wrong {
        Wrong { odd: false, ..Wrong::odd(why) }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Wrong {
        let given = match unexpected {
            Unexpected::Unit | Unexpected::Option => return Wrong::custom("it is missing"),
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Str(_) | Unexpected::Char(_) => "a string",
            Unexpected::Seq => "an array",
            _ => "an object",
        };
        let expected = match expected.to_string().as_str() {
            "a map" => "an object".to_owned(),
            name if name.starts_with("struct ") => "an object".to_owned(),
            "a sequence" => "an array".to_owned(),
            "u8" | "u16" | "u32" | "u64" => "a whole number".to_owned(),
            "f64" => "a number".to_owned(),
            other => other.to_owned(),
        };
        Wrong::custom(format!("{given} instead of {expected}"))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Wrong {
        match unexpected {
            Unexpected::Signed(number) => Wrong::custom(format!("{number} is negative")),
            Unexpected::Unsigned(number) => Wrong::custom(format!("{number} is too large")),
            Unexpected::Float(number) => {
                Wrong { invalid: true, ..Wrong::custom(format!("{number} is not {expected}")) }
            }
            other => Wrong::custom(format!("{other} instead of {expected}")),
        }
    }

    fn unknown_variant(word: &str, words: &'static [&'static str]) -> Wrong {
        Wrong::custom(format!("{word:?} is none of {}", words.join(", ")))
    }

    fn unknown_field(name: &str, _names: &'static [&'static str]) -> Wrong {
        Wrong::custom("it is not known here").within(name)
    }

    fn missing_field(name: &'static str) -> Wrong {
        Wrong::custom("it is missing").within(&camel_case(name).collect::<String>())
    }
}

/// The same error, with the names of arguments in camelCase.
pub fn in_camel_case(error: Error) -> Error {
    match error.message().split_once(": ") {
        Some((name, why)) if error.kind() == ErrorKind::ValueInvalid => {
            Error::new(ErrorKind::ValueInvalid, format!("{}: {why}", camel_case(name).collect::<String>()))
        }
        _ => error,
    }
}

/// The letters of a name in camelCase.
pub fn camel_case(name: &str) -> impl Iterator<Item = char> {
    let mut initial = false;
    name.chars().filter_map(move |letter| match (letter, std::mem::replace(&mut initial, letter == '_')) {
        ('_', _) => None,
        (letter, true) => Some(letter.to_ascii_uppercase()),
        (letter, false) => Some(letter),
    })
}

/// An instance of a class of this binding.
#[allow(unsafe_code, reason = "the conversion checks the class itself")]
pub fn instance<'e, T: 'e>(value: &Unknown<'e>) -> Option<ClassInstance<'e, T>>
where
    ClassInstance<'e, T>: FromNapiValue,
{
    unsafe { value.cast() }.ok()
}

/// An instance of a class that an argument must be. TypeError with these words for anything else.
pub fn class<'e, T: 'e>(value: &Unknown<'e>, wanted: &str) -> napi::Result<ClassInstance<'e, T>>
where
    ClassInstance<'e, T>: FromNapiValue,
{
    instance(value).ok_or_else(|| Wrong::odd(wanted).thrown(&Env::from_raw(value.value().env)))
}
