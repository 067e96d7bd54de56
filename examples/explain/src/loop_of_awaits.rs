//! One key a round, from a loop with an await.

use asynq::{BatchError, asynq};

use crate::store::PRICE;

/// Returns the price of several albums together.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn page(albums: Vec<u32>) -> Result<u32, BatchError> {
    let mut total = 0;
    for album in albums {
        total += PRICE.load(album).await?;
    }
    Ok(total)
}

/// The same, as advised.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn advised(albums: Vec<u32>) -> Result<u32, BatchError> {
    let prices = PRICE.load_many(albums).await?;
    Ok(prices.into_iter().sum())
}
