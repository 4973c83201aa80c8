//! Values of JavaScript, as serde reads them. An error quotes no more of a value than the core would.

use napi::bindgen_prelude::{ArrayBuffer, Function, JsObjectValue as _, Object, Uint8Array, Unknown};
use napi::{JsValue as _, ValueType};
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer, StringDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer as _, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use crate::args::{SIGNAL, Wrong, camel_case, instance};
use crate::given::Release;
use crate::value::{Channel, Reference};

/// A value of JavaScript, as serde reads it. A struct takes the properties of its names in camelCase, and every other one
/// is an error.
#[derive(Clone, Copy)]
pub struct Js<'e>(pub Unknown<'e>);

impl<'e> Js<'e> {
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        const SAFE: f64 = 9_007_199_254_740_991.0;
        let number = self.0.coerce_to_number()?.get_double()?;
        match number {
            _ if !number.is_finite() => Err(Wrong::odd(format!("{number} is not a finite number"))),
            _ if number.fract() != 0.0 || number.abs() > SAFE => visitor.visit_f64(number),
            _ if number < 0.0 => visitor.visit_i64(number as i64),
            _ => visitor.visit_u64(number as u64),
        }
    }

    /// The bytes of a Uint8Array.
    #[allow(unsafe_code, reason = "the conversion checks the type itself")]
    fn bytes(self) -> Result<Vec<u8>, Wrong> {
        let array = self.0.is_typedarray()?.then(|| unsafe { self.0.cast::<Uint8Array>() });
        let Some(Ok(bytes)) = array else { return Err(Wrong::odd("a Uint8Array is needed")) };
        let buffer: ArrayBuffer<'_> = self.0.coerce_to_object()?.get_named_property_unchecked("buffer")?;
        match buffer.is_detached()? {
            true => Err(Wrong::odd("the buffer of these bytes is detached")),
            false => Ok(bytes.to_vec()),
        }
    }

    /// A plain object; or the text of a value of the core, a date or a URL, which have a method for it.
    fn object<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let object = self.0.coerce_to_object()?;
        if let Some(method) = object.get::<Function<'e, (), Unknown<'e>>>("toJSON")? {
            let text = method.apply(object, ())?;
            return match text.get_type()? {
                ValueType::Null => Err(Wrong::odd("the date is not valid")),
                _ => Js(text).deserialize_any(visitor),
            };
        }
        let kind =
            object.get::<Object<'_>>("constructor")?.map(|kind| kind.get::<String>("name")).transpose()?.flatten();
        match kind.as_deref() {
            None | Some("Object") => visitor.visit_map(Fields::of(object)?),
            Some(kind) => Err(Wrong::odd(format!("it is of type {kind}, which JSON cannot carry"))),
        }
    }
}

impl<'de> Deserializer<'de> for Js<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0.get_type()? {
            ValueType::Undefined | ValueType::Null => visitor.visit_unit(),
            ValueType::Boolean => visitor.visit_bool(self.0.coerce_to_bool()?),
            ValueType::Number => self.number(visitor),
            ValueType::String => match self.0.coerce_to_string()?.into_utf16()?.as_str() {
                Ok(text) => visitor.visit_string(text),
                Err(_) => Err(de::Error::custom("a string with a lone surrogate is no text")),
            },
            ValueType::Object if self.0.is_typedarray()? => visitor.visit_byte_buf(self.bytes()?),
            ValueType::Object if self.0.is_array()? => {
                let array = self.0.coerce_to_object()?;
                let items = (0..array.get_array_length_unchecked()?).map(|at| Ok(Js(array.get_element(at)?)));
                visitor.visit_seq(SeqDeserializer::new(items.collect::<napi::Result<Vec<_>>>()?.into_iter()))
            }
            ValueType::Object => self.object(visitor),
            ValueType::BigInt => Err(Wrong::odd("a bigint is no argument; give a number")),
            other => Err(Wrong::odd(format!("a {} is no argument", other.to_string().to_lowercase()))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0.get_type()? {
            ValueType::Undefined | ValueType::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if self.0.get_type()? != ValueType::Object || self.0.is_array()? {
            return self.deserialize_any(visitor);
        }
        let mut fields = Fields::of(self.0.coerce_to_object()?)?;
        fields.names.retain(|(_, property)| property != SIGNAL);
        for (name, property) in &mut fields.names {
            let known = names.iter().find(|known| camel_case(known).eq(property.chars()));
            *name = (*known.ok_or_else(|| <Wrong as de::Error>::unknown_field(property, names))?).to_owned();
        }
        visitor.visit_map(fields)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let word: StringDeserializer<Wrong> = String::deserialize(self)?.into_deserializer();
        visitor.visit_enum(word)
    }

    /// A value of the class Channel or Reference, as a release, is not its text.
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        let of_class = match name {
            Release::NAME if instance::<Channel>(&self.0).is_some() => "channel",
            Release::NAME if instance::<Reference>(&self.0).is_some() => "reference",
            _ => return visitor.visit_newtype_struct(self),
        };
        visitor.visit_map(MapDeserializer::new([(of_class, self)].into_iter()))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_byte_buf(self.bytes()?)
    }

    /// It may be a function, which native code takes from the object.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct seq tuple tuple_struct map
        identifier bytes
    }
}

impl de::IntoDeserializer<'_, Wrong> for Js<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The properties of an object, the last first, each with its name for serde. One that is undefined counts as absent.
struct Fields<'e> {
    object: Object<'e>,
    names: Vec<(String, String)>,
    next: Option<(String, Unknown<'e>)>,
}

impl<'e> Fields<'e> {
    fn of(object: Object<'e>) -> Result<Fields<'e>, Wrong> {
        let mut names = Vec::new();
        for name in Object::keys(&object)?.into_iter().rev() {
            if object.get::<Unknown<'_>>(&name)?.is_some() {
                names.push((name.clone(), name));
            }
        }
        Ok(Fields { object, names, next: None })
    }
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((name, property)) = self.names.pop() else { return Ok(None) };
        let read = seed.deserialize(StrDeserializer::<Wrong>::new(&name))?;
        let value = self.object.get_named_property_unchecked(&property)?;
        self.next = Some((property, value));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        match self.next.take() {
            Some((name, value)) => seed.deserialize(Js(value)).map_err(|wrong| wrong.within(&name)),
            None => Err(de::Error::custom("a value without a name")),
        }
    }
}
