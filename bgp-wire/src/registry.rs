//! The macro `registry!`: one IANA registry as an open newtype with named constants.
//!
//! Behind a name may stand others that operators use. A value that is not registered is still a value: it survives decoding and encoding, and prints as its number.

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

            /// What else operators call a value.
            const ALIASES: &'static [(&'static str, Self)] = &[$( $( ($alias, Self::$constant), )* )+];

            /// The value of a name, in any case.
            pub(crate) fn from_name(text: &str) -> Option<Self> {
                let registered = Self::REGISTERED.iter().filter_map(|value| Some((value.name()?, *value)));
                let mut names = registered.chain(Self::ALIASES.iter().copied());
                let (_, value) = names.find(|(name, _)| name.eq_ignore_ascii_case(text))?;
                Some(value)
            }

        }

        impl core::str::FromStr for $name {
            type Err = crate::ParseValueError;

            /// A registered name or another that operators use, in any case, or a number without a sign.
            fn from_str(text: &str) -> Result<Self, crate::ParseValueError> {
                let value = Self::from_name(text).or_else(|| crate::text::number(text).map(Self));
                value.ok_or(crate::ParseValueError {
                    expected: concat!("a registered name or the number of a ", stringify!($name)),
                })
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
