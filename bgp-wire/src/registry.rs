//! The macro `registry!`: one IANA registry as an open newtype with named constants.
//!
//! A name may be followed by aliases that operators use. An unregistered value is still a value: it survives decoding and
//! encoding, and prints as its number.

macro_rules! registry {
    (
        $(#[$meta:meta])*
        pub struct $name:ident($number:ty);
        $( $(#[$doc:meta])* $constant:ident = $value:literal, $text:literal $( | $alias:literal )*; )+
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $number);

        impl $name {
            $( $(#[$doc])* pub const $constant: Self = Self($value); )+

            /// Returns the registered name of this value, or `None` if it is not registered.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $value => Some($text), )+
                    _ => None,
                }
            }

            /// Every registered value.
            pub const REGISTERED: &'static [Self] = &[$( Self::$constant ),+];

            /// Other names of the values that operators use.
            const ALIASES: &'static [(&'static str, Self)] = &[$( $( ($alias, Self::$constant), )* )+];

            /// Returns the value with this name or alias, in any case.
            pub(crate) fn from_name(text: &str) -> Option<Self> {
                // Linear: registries are short, and only text has names.
                let registered = Self::REGISTERED.iter().filter_map(|value| Some((value.name()?, *value)));
                let mut names = registered.chain(Self::ALIASES.iter().copied());
                let (_, value) = names.find(|(name, _)| name.eq_ignore_ascii_case(text))?;
                Some(value)
            }

        }

        impl core::str::FromStr for $name {
            type Err = crate::ParseValueError;

            /// Parses a registered name or an alias, in any case, or a decimal number.
            fn from_str(text: &str) -> Result<Self, crate::ParseValueError> {
                // No name is a number, so the order does not matter; unregistered values have only the number.
                let value = Self::from_name(text).or_else(|| crate::text::number(text).map(Self));
                value.ok_or(crate::ParseValueError {
                    expected: concat!("a registered name or the number of a ", stringify!($name)),
                })
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    // `pad`, so that tables can align the names.
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
