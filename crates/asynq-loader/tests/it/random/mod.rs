//! Random calls of a loader, in any order, against the naive model.

mod model;

use asynq_loader::{Join, Loader, Output, PartId, Settings, SlotId};
use proptest::collection::vec;
use proptest::prelude::*;

use self::model::{Action, Fate, Joined, Model};

/// A call. Numbers choose a key or part, modulo their number.
#[derive(Clone, Debug)]
enum Call {
    Load,
    LoadCached,
    Join(usize, Option<usize>),
    Cancel(usize),
    Withdraw(usize),
    Clear(usize),
    ClearAll,
    RoundReady,
    RoundLate,
    CachedReady(bool),
    Permit(usize),
    Answered(usize, usize),
    Ended(usize),
    Late(usize),
    Pass(u64),
}

fn calls() -> impl Strategy<Value = Call> {
    let number = || 0..64_usize;
    prop_oneof![
        8 => Just(Call::Load),
        2 => Just(Call::LoadCached),
        3 => (number(), proptest::option::of(number())).prop_map(|(key, part)| Call::Join(key, part)),
        4 => number().prop_map(Call::Cancel),
        1 => number().prop_map(Call::Withdraw),
        1 => number().prop_map(Call::Clear),
        1 => Just(Call::ClearAll),
        4 => Just(Call::RoundReady),
        2 => Just(Call::RoundLate),
        2 => any::<bool>().prop_map(Call::CachedReady),
        6 => number().prop_map(Call::Permit),
        6 => (number(), 0..5_usize).prop_map(|(part, index)| Call::Answered(part, index)),
        3 => number().prop_map(Call::Ended),
        3 => number().prop_map(Call::Late),
        3 => (0..4_u64).prop_map(Call::Pass),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let time = || proptest::option::of(0..6_u64);
    let size = prop_oneof![0..4_usize, Just(usize::MAX)];
    (size, time(), time(), 0..5_u64, any::<bool>()).prop_map(
        |(max_batch_size, timeout, max_delay, hold, sends_unawaited)| Settings {
            max_batch_size,
            timeout,
            max_delay,
            hold,
            sends_unawaited,
            ..Settings::default()
        },
    )
}

struct World {
    loader: Loader,
    model: Model,
    slots: Vec<SlotId>,
    parts: Vec<PartId>,
    now: u64,
}

/// The element that a number chooses.
fn choose<T: Copy>(all: &[T], number: usize) -> Option<(usize, T)> {
    let index = number.checked_rem(all.len())?;
    Some((index, all[index]))
}

impl World {
    fn new(settings: Settings) -> Self {
        let (loader, model) = (Loader::new(settings), Model::new(settings));
        Self { loader, model, slots: Vec::new(), parts: Vec::new(), now: 1 }
    }

    fn call(&mut self, call: &Call) {
        let Self { loader, model, slots, parts, now } = self;
        match *call {
            Call::Load => {
                slots.push(loader.load(*now));
                model.load(*now);
            }
            Call::LoadCached => {
                slots.push(loader.load_cached());
                model.load_cached(*now);
            }
            Call::Join(number, asker) => {
                let Some((key, slot)) = choose(slots, number) else { return };
                let asker = asker.and_then(|asker| choose(parts, asker));
                let joined =
                    match loader.join(slot, |part| asker.is_some_and(|(_, asker)| asker == part)) {
                        Join::Shared => Joined::Shared,
                        Join::Gone => Joined::Gone,
                        Join::SelfWait => Joined::SelfWait,
                    };
                assert_eq!(joined, model.join(key, asker.map(|(part, _)| part)));
            }
            Call::Cancel(number) => {
                let Some((key, slot)) = choose(slots, number) else { return };
                loader.cancel(slot);
                model.cancel(key);
            }
            Call::Withdraw(number) => {
                let Some((key, slot)) = choose(slots, number) else { return };
                assert_eq!(loader.withdraw(slot), model.withdraw_key(key));
            }
            Call::Clear(number) => {
                let Some((key, slot)) = choose(slots, number) else { return };
                let was_sent = matches!(model.keys[key].fate, Fate::Sent(_));
                assert_eq!(loader.clear(slot), was_sent);
                model.clear(key);
            }
            Call::ClearAll => {
                loader.clear_all();
                model.clear_all();
            }
            Call::RoundReady => {
                loader.round_ready(*now);
                model.round_ready(*now);
            }
            Call::RoundLate => {
                loader.round_late(*now);
                model.round_late(*now);
            }
            Call::CachedReady(with_round) => {
                loader.cached_ready(with_round);
                model.cached_ready(with_round);
            }
            Call::Permit(number) => {
                let Some((index, part)) = choose(parts, number) else { return };
                assert_eq!(loader.permit(part, *now), model.permit(index, *now));
            }
            Call::Answered(number, index) => {
                let Some((number, part)) = choose(parts, number) else { return };
                let answered = loader.answered(part, index);
                let expected = model.answered(number, index);
                let expected = expected.map(|(key, is_fresh)| (slots[key], is_fresh));
                assert_eq!(answered.map(|one| (one.slot, one.is_fresh)), expected);
            }
            Call::Ended(number) => {
                let Some((number, part)) = choose(parts, number) else { return };
                let ended = loader.ended(part, *now).map(|ended| ended.unanswered);
                let expected = model.ended(number);
                let expected = expected.map(|keys| keys.iter().map(|&key| slots[key]).collect());
                assert_eq!(ended, expected);
            }
            Call::Late(number) => {
                let Some((number, part)) = choose(parts, number) else { return };
                loader.late(part, *now);
                model.late(number, *now);
            }
            Call::Pass(time) => *now += time,
        }
    }

    fn check(&mut self) {
        let mut actions = Vec::new();
        while let Some(output) = self.loader.next_output() {
            let key = |slot| self.slots.iter().position(|&other| other == slot).unwrap();
            let part = |part| self.parts.iter().position(|&other| other == part).unwrap();
            actions.push(match output {
                Output::Claim(part) => {
                    self.parts.push(part);
                    Action::Claim(self.parts.len() - 1)
                }
                Output::Cancel(id) => Action::Cancel(part(id)),
                Output::Resolve(slot) => Action::Resolve(key(slot)),
                Output::Late(slot) => Action::Late(key(slot)),
                Output::Forget(slot) => Action::Forget(key(slot)),
            });
        }
        actions.sort_unstable();
        assert_eq!(actions, self.model.take_actions());
        let Self { loader, model, .. } = self;
        assert_eq!(loader.unsent(), model.unsent().len());
        assert_eq!(loader.waiting_parts().count(), model.waiting().len());
        assert_eq!(loader.round_deadline(), model.round_deadline());
        for (key, &slot) in model.keys.iter().zip(&self.slots) {
            assert_eq!(loader.is_pending(slot), key.fate != Fate::Ended);
        }
        for (part, &id) in model.parts.iter().zip(&self.parts) {
            let slots = loader.slots_of(id).map(<[_]>::to_vec);
            let expected = match part {
                model::Part::Sent(keys) => Some(keys.iter().map(|&key| self.slots[key]).collect()),
                model::Part::Waiting(_) | model::Part::Ended => None,
            };
            assert_eq!(slots, expected);
        }
        let stats = loader.stats();
        assert_eq!((stats.hits, stats.batches), (model.hits, model.sizes.len()));
        assert_eq!(stats.keys, model.sizes.iter().sum::<usize>());
        assert_eq!(stats.largest, model.sizes.iter().copied().max().unwrap_or(0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_loader_does_what_the_model_does(settings in settings(), calls in vec(calls(), 1..60)) {
        let mut world = World::new(settings);
        for call in &calls {
            world.call(call);
            world.check();
        }
    }
}
