//! How an error is told to a person: what failed and on which thing, why, and what to do next.
//!
//! ```text
//! error: cannot listen on 127.0.0.1:8080
//!   cause: Address already in use (os error 98)
//! hint: stop the program that listens there, or choose another port with --listen
//! ```

use std::error::Error;
use std::fmt;

/// An error on its way to a person.
#[derive(Debug)]
pub struct Trouble {
    what: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Trouble {
    /// What was tried, and on what: lower case, no full stop.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), causes: Vec::new(), hint: None }
    }

    /// Why it failed.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Why it failed: the error and the chain of its sources.
    #[must_use]
    pub fn caused_by(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Some libraries repeat the text of the source in their own.
            if !self.causes.last().is_some_and(|before| before.ends_with(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// What to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What was tried.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why it failed, the nearest reason first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What to do next.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for cause in &self.causes {
            write!(f, "\n  cause: {}", cause.replace('\n', "\n         "))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {}", hint.replace('\n', "\n      "))?;
        }
        Ok(())
    }
}

impl Error for Trouble {}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        let mut chain = error.chain();
        let what = chain.next().map(ToString::to_string).unwrap_or_default();
        Self { what, causes: chain.map(ToString::to_string).collect(), hint: None }
    }
}

/// Turns a failure into [`Trouble`] by saying what was tried.
pub trait OrTrouble<T> {
    /// The value, or what was tried with the error as its cause.
    ///
    /// # Errors
    ///
    /// If it was one.
    fn or_trouble(self, what: impl FnOnce() -> String) -> Result<T, Trouble>;
}

impl<T, E: Error + 'static> OrTrouble<T> for Result<T, E> {
    fn or_trouble(self, what: impl FnOnce() -> String) -> Result<T, Trouble> {
        self.map_err(|error| Trouble::new(what()).caused_by(&error))
    }
}

/// Adds the next step to a failure that is already told.
pub trait WithHint<T> {
    /// The same, with a hint.
    ///
    /// # Errors
    ///
    /// If it was one.
    fn with_hint(self, hint: impl FnOnce() -> String) -> Result<T, Trouble>;
}

impl<T> WithHint<T> for Result<T, Trouble> {
    fn with_hint(self, hint: impl FnOnce() -> String) -> Result<T, Trouble> {
        self.map_err(|trouble| trouble.hint(hint()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the disk said no")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn an_error_has_three_parts() {
        let failed: Result<(), _> = Err(Outer(std::io::Error::other("worn out\nfor good")));
        let trouble = failed.or_trouble(|| "cannot write `a`".to_owned()).with_hint(|| "buy another".to_owned());
        assert_eq!(
            trouble.unwrap_err().to_string(),
            "error: cannot write `a`\n  cause: the disk said no\n  cause: worn out\n         for good\nhint: buy another"
        );
    }

    #[test]
    fn what_the_source_says_already_is_not_said_twice() {
        let error = anyhow::anyhow!("inner").context("outer");
        assert_eq!(Trouble::from(error).to_string(), "error: outer\n  cause: inner");
        let told = Trouble::new("x").because("cannot connect: refused").caused_by(&std::io::Error::other("refused"));
        assert_eq!(told.causes().len(), 1);
    }
}
