//! The macro `registry!`: one IANA registry as an open newtype with named constants.
//!
//! A value that is not registered is still a value: it survives decoding and encoding, and prints as its number.

macro_rules! registry {
    (
        $(#[$meta:meta])*
        pub struct $name:ident($number:ty);
        $( $(#[$doc:meta])* $constant:ident = $value:literal, $text:literal; )+
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $number);

        impl $name {
            $( $(#[$doc])* pub const $constant: Self = Self($value); )+

            /// The name under which this value is registered, if it is.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $value => Some($text), )+
                    _ => None,
                }
            }

            /// Every registered value.
            pub const REGISTERED: &'static [Self] = &[$( Self::$constant ),+];

            /// The value of a name as [`Self::name`] gives it, or of a number without a sign.
            #[must_use]
            pub fn from_name_or_number(text: &str) -> Option<Self> {
                let named = Self::REGISTERED.iter().copied().find(|value| value.name() == Some(text));
                named.or_else(|| crate::text::number(text).map(Self))
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({})", stringify!($name), self)
            }
        }

        impl From<$number> for $name {
            fn from(value: $number) -> Self {
                Self(value)
            }
        }

        impl From<$name> for $number {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

pub(crate) use registry;
