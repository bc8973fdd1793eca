//! Passwords: what they may be, how they are hashed, how many at once.
//!
//! **Invariant:** hashing runs on threads for blocking work, a few at a time, and only so
//! many may wait: a flood of logins costs those who log in, not those who send feedback.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::Rng as _;
use tokio::sync::Semaphore;

use crate::ApiError;

/// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes computed at once: 38 MiB and two threads at most.
const AT_ONCE: usize = 2;
/// Callers that may wait for one of them: some three seconds' worth.
const WAITING_MAX: usize = 64;

/// Shortest password. NIST SP 800-63B asks for 8, and for 15 where it is the only factor;
/// lock-out bounds guessing to some hundred tries a day.
pub const CHARS_MIN: usize = 12;
/// Longest: room for a sentence, and a bound for the hash's input.
pub const CHARS_MAX: usize = 200;

/// A hash of no password, of the same cost as a real one: what an unknown login name is
/// checked against, so that it takes as long.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and checks passwords, a few at once.
pub struct Hasher {
    room: Semaphore,
    /// Running and waiting.
    queue: Semaphore,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            room: Semaphore::new(AT_ONCE),
            queue: Semaphore::new(AT_ONCE + WAITING_MAX),
        }
    }
}

fn argon2() -> Result<Argon2<'static>, argon2::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

impl Hasher {
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = || ApiError::unavailable("Too many people log in at once. Try again.", 2);
        let _queued = self.queue.try_acquire().map_err(|_| busy())?;
        let _running = self.room.acquire().await.map_err(|_| busy())?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| ApiError::internal(&error))
    }

    /// The hash of a password, with a new salt, in PHC's text form.
    ///
    /// # Errors
    /// 503 where too many wait.
    pub async fn hash(&self, password: String) -> Result<String, ApiError> {
        self.run(move || hash(&password))
            .await?
            .map_err(|error| ApiError::internal(&error))
    }

    /// Whether the password is that of `stored`; takes as long, and says no, where there is
    /// none.
    ///
    /// # Errors
    /// 503 where too many wait; 500 where what is stored is no hash.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, ApiError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| DECOY.to_owned());
        self.run(move || {
            PasswordHash::new(&stored).map(|parsed| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &parsed)
                    .is_ok()
            })
        })
        .await?
        .map(|matches| matches && known)
        .map_err(|error| ApiError::internal(&error))
    }
}

/// The hash of a password, here and now: for the command line.
///
/// # Errors
/// The system gives no random salt.
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    let argon2 = argon2().map_err(|_| argon2::password_hash::Error::ParamsInvalid)?;
    let hash: PasswordHash = argon2.hash_password(password.as_bytes())?;
    Ok(hash.to_string())
}

/// Why a password is refused, where it is.
///
/// # Errors
/// A sentence that says what to do.
pub fn check(password: &str, login: &str) -> Result<(), String> {
    let length = password.chars().count();
    if !(CHARS_MIN..=CHARS_MAX).contains(&length) {
        return Err(format!(
            "A password has {CHARS_MIN} to {CHARS_MAX} characters. Take a few words."
        ));
    }
    if password.to_lowercase().contains(login) {
        return Err("A password must not contain the login name.".to_owned());
    }
    let mut letters: Vec<char> = password.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < 5 {
        return Err("A password has at least five different characters.".to_owned());
    }
    Ok(())
}

/// A password of 100 random bits that is easy to read out: letters and digits that aren't
/// taken for each other, in groups.
#[must_use]
pub fn generate() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut rng = rand::rng();
    let mut password = String::with_capacity(23);
    for place in 0..20 {
        if place > 0 && place % 5 == 0 {
            password.push('-');
        }
        password.push(char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
    }
    password
}

#[cfg(test)]
mod tests {
    use super::{Hasher, check, generate, hash};

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let hasher = Hasher::default();
        let stored = hash("correct horse battery").expect("a hash");
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert_ne!(stored, hash("correct horse battery").expect("a hash"));
        for (password, right) in [
            ("correct horse battery", true),
            ("correct horse batterY", false),
        ] {
            let verified = hasher.verify(password.to_owned(), Some(stored.clone()));
            assert_eq!(verified.await.ok(), Some(right), "{password}");
        }
        assert_eq!(hasher.verify(String::new(), None).await.ok(), Some(false));
    }

    #[test]
    fn weak_passwords_are_refused_and_generated_ones_are_not() {
        for password in [
            "short",
            "aaaaaaaaaaaaaaaa",
            "anna@acme.example",
            "ANNA@ACME.EXAMPLE-1",
        ] {
            assert!(check(password, "anna@acme.example").is_err(), "{password}");
        }
        assert!(check(&"long ".repeat(50), "anna").is_err());
        for _ in 0..50 {
            assert_eq!(check(&generate(), "anna"), Ok(()));
        }
        assert_ne!(generate(), generate());
    }
}
