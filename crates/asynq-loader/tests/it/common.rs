//! A face without limits, for tests that need no more.

use asynq_loader::{Loader, Output, PartId, Settings, SlotId};

pub(crate) fn loader(settings: Settings) -> Loader {
    Loader::new(settings)
}

/// Loads so many keys at a time.
pub(crate) fn load(loader: &mut Loader, count: usize, now: u64) -> Vec<SlotId> {
    (0..count).map(|_| loader.load(now)).collect()
}

/// Takes the outputs.
pub(crate) fn outputs(loader: &mut Loader) -> Vec<Output> {
    std::iter::from_fn(|| loader.next_output()).collect()
}

/// Gives each part the permits that it claims, and returns those that are to be called.
pub(crate) fn calls(loader: &mut Loader, now: u64) -> Vec<PartId> {
    let claimed = outputs(loader).into_iter().map(|output| match output {
        Output::Claim(part) => part,
        other => panic!("{other:?}"),
    });
    claimed.collect::<Vec<_>>().into_iter().filter(|&part| loader.permit(part, now)).collect()
}

/// Loads so many keys, and sends them as one part.
pub(crate) fn sent(loader: &mut Loader, count: usize, now: u64) -> (PartId, Vec<SlotId>) {
    let slots = load(loader, count, now);
    loader.round_ready(now);
    let [part] = calls(loader, now)[..] else { panic!("one part") };
    assert_eq!(loader.slots_of(part).unwrap(), slots);
    (part, slots)
}
