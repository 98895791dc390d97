//! For a person who waits for an answer, and would rather wait than be told to try again.

use std::time::Duration;

use tokio::time::Instant;

use super::Advice;

/// How long a service that asks for patience is waited for, for one answer: it counts calls by the minute, and the
/// operator's too.
const PATIENCE: Duration = Duration::from_mins(10);

/// Most sends of a question that fails, in each of which the client has tried three times already.
const ATTEMPTS_MAX: u32 = 3;

/// Pause before a service that has failed is asked again; it doubles.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks again for as long as the failure is one that passes.
pub async fn patiently<T, E>(ask: impl AsyncFn() -> Result<T, E>, advice: impl Fn(&E) -> Advice) -> Result<T, E> {
    let deadline = Instant::now() + PATIENCE;
    let mut failures = 0;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let wait = match advice(&error) {
            Advice::RetrySoon => {
                failures += 1;
                PAUSE * 2_u32.pow(failures - 1)
            }
            Advice::RetryAfter(wait) => wait.max(PAUSE),
            Advice::AwaitChange | Advice::StopOperator => return Err(error),
        };
        if failures >= ATTEMPTS_MAX || Instant::now() + wait > deadline {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}
