//! The share of the calls that is recorded.

use asynq_explain::Sampler;

#[test]
fn a_share_of_the_calls_is_sampled_beginning_with_the_first() {
    let sampled = |sampling| {
        let mut sampler = Sampler::new(sampling);
        (0..8).map(|_| sampler.samples()).collect::<Vec<_>>()
    };
    assert_eq!(sampled(1.0), [true; 8]);
    assert_eq!(sampled(0.25), [true, false, false, false, true, false, false, false]);
    assert_eq!(sampled(0.0), [false; 8]);
}
