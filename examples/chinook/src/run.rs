//! The two ways to ask for all the artists.

use std::time::{Duration, Instant};

use asynq::{BatchError, BoxError, FutureBase, explain, try_all};

use crate::lookup::Round;
use crate::music::Music;
use crate::store::Store;

/// One way to ask for all the artists, and what it took.
pub(crate) struct Run {
    pub(crate) artists: Vec<String>,
    pub(crate) rounds: Vec<Round>,
    pub(crate) time: Duration,
    /// Explanation of the rounds, if it was asked for.
    pub(crate) why: Option<String>,
}

impl Run {
    /// Track by track, and all together, which is recorded if `explains`. Each run opens the store for itself, so that none profits from
    /// what another has cached.
    pub(crate) fn both<S: Store>(
        explains: bool,
        tracks: &[i64],
        open: impl Fn() -> Result<S, BoxError>,
    ) -> Result<[Self; 2], BoxError> {
        let tracks = || tracks.iter().copied();
        let unbatched =
            Self::new(&open()?, |music| tracks().map(|id| music.artist_of_track(id)).collect())?;
        let all =
            |music: &Music| try_all(tracks().map(|id| music.artist_of_track_asynq(id))).value();
        let mut batched = Self::new(&open()?, all)?;
        if explains {
            // Apart from the run whose time is shown, since recording takes time.
            let why = explain::record();
            Self::new(&open()?, all)?;
            batched.why = Some(why.to_string());
        }
        Ok([unbatched, batched])
    }

    fn new(
        store: &impl Store,
        ask: impl FnOnce(&Music) -> Result<Vec<String>, BatchError>,
    ) -> Result<Self, BoxError> {
        let music = Music::new(store);
        let start = Instant::now();
        let artists = ask(&music)?;
        let time = start.elapsed();
        Ok(Self { artists, rounds: music.rounds(), time, why: None })
    }
}
