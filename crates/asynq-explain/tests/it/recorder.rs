//! The recorder: bounded, sampling, redacting.

use asynq_explain::{Event, Options, Recorder, TaskRuns};

fn run(task: u64) -> Event {
    Event::Run(TaskRuns { t: task, task })
}

#[test]
fn only_the_last_events_are_kept_and_the_others_counted() {
    let mut recorder = Recorder::new(Options { capacity: 3, ..Options::default() });
    (1..=5).for_each(|task| recorder.record(run(task)));
    let recording = recorder.recording(Vec::new());
    assert_eq!(recording.events, [run(3), run(4), run(5)]);
    assert_eq!(recording.header.dropped, 2);
}

#[test]
fn a_share_of_the_calls_is_sampled_beginning_with_the_first() {
    let sampled = |sampling| {
        let mut recorder = Recorder::new(Options { sampling, ..Options::default() });
        (0..8).map(|_| recorder.samples()).collect::<Vec<_>>()
    };
    assert_eq!(sampled(1.0), [true; 8]);
    assert_eq!(sampled(0.25), [true, false, false, false, true, false, false, false]);
    assert_eq!(sampled(0.0), [false; 8]);
}

#[test]
fn equal_keys_of_a_source_have_the_same_number() {
    let mut recorder = Recorder::default();
    let keys = [(1, 70), (1, 80), (1, 70), (2, 80)];
    assert_eq!(keys.map(|(source, hash)| recorder.key(source, hash)), [1, 2, 1, 1]);
}
