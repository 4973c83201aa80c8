//! `words!`: an enum whose values are words of the format.

/// Defines an enum whose values are words of the format: serde reads and writes each value as its word.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[$doc:meta])+ $value:ident => $word:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])+ #[serde(rename = $word)] $value,)+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$($name::$value),+];

            /// The word for the value.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$value => $word,)+ }
            }
        }
    };
}
pub(super) use words;
