//! Sources whose answers are recorded, or replayed from a file.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::{Rc, Weak};

use super::cell::{AnySource, BatchCell};
use super::error::{BatchErrorKind, Failure};
use super::flush::Batch;
use super::flush_step::FlushStep;
use super::slot::Slot;
use crate::call_stack::Site;
use crate::recording::answers::{self, Answers, Codec};

/// A source whose answers can be recorded.
pub(super) struct Replayable<B: Batch> {
    batch: Rc<B>,
    codec: Rc<Codec<B::Value>>,
}

impl<B: Batch> Replayable<B> {
    pub(super) fn new(batch: &Rc<B>, codec: Codec<B::Value>) -> Self {
        Self { batch: Rc::clone(batch), codec: Rc::new(codec) }
    }

    fn replay(
        &self,
        answers: &Answers,
        keys: &[String],
        batch: &Weak<BatchCell<B::Key, B::Value>>,
    ) {
        let Some(batch) = batch.upgrade() else { return };
        let source = Batch::name(&*self.batch);
        for (index, key) in (0..).zip(keys) {
            let slot = match answers.get(&self.codec, &source, key) {
                Ok(value) => Slot::Value(value),
                Err(error) => Slot::Failed(Failure::error(error)),
            };
            batch.set(index, slot);
        }
    }
}

impl<B: Batch<Key: Debug>> AnySource<B::Key, B::Value> for Replayable<B> {
    fn flush(
        self: Rc<Self>,
        keys: Vec<B::Key>,
        batch: Weak<BatchCell<B::Key, B::Value>>,
    ) -> FlushStep {
        let source = Rc::clone(&self.batch);
        let Some(answers) = answers::current() else {
            return AnySource::flush(source, keys, batch);
        };
        let texts: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
        if answers.are_replayed() {
            self.replay(&answers, &texts, &batch);
            return FlushStep::DONE;
        }
        if let Some(batch) = batch.upgrade() {
            let (codec, name) = (Rc::clone(&self.codec), Batch::name(&*source));
            batch.on_answer(Box::new(move |index, slot| {
                let Some(key) = usize::try_from(index).ok().and_then(|index| texts.get(index))
                else {
                    return;
                };
                let answer = match slot {
                    Slot::Value(value) => Ok(value),
                    Slot::Failed(Failure::Error(BatchErrorKind::Failed(error))) => {
                        Err(error.to_string())
                    }
                    _ => return,
                };
                answers.add(&codec, &name, key.clone(), answer);
            }));
        }
        AnySource::flush(source, keys, batch)
    }

    fn finds_duplicates(&self) -> bool {
        AnySource::finds_duplicates(&*self.batch)
    }

    fn admit(
        self: Rc<Self>,
        keys: &mut Vec<B::Key>,
        first: usize,
        batch: &Rc<BatchCell<B::Key, B::Value>>,
    ) {
        AnySource::admit(Rc::clone(&self.batch), keys, first, batch);
    }

    fn name(&self) -> String {
        Batch::name(&*self.batch)
    }

    fn is_recorded(&self) -> bool {
        Batch::is_recorded(&*self.batch)
    }

    fn flush_site(&self) -> &'static Site {
        Batch::flush_site(&*self.batch)
    }

    fn on_abandoned(&self, keys: &RefCell<Vec<B::Key>>, index: u32) {
        Batch::on_abandoned(&*self.batch, keys, index);
    }

    fn on_cancelled(&self, keys: Vec<B::Key>) {
        Batch::on_cancelled(&*self.batch, keys);
    }
}
