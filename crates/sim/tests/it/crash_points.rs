use ferrymq_sim::enumerate::{TRACE_REQUESTS, enumerate};

#[test]
fn no_crash_point_of_a_trace_of_200_requests_breaks_a_promise() {
    let found = enumerate(11, TRACE_REQUESTS);
    assert!(found.operations > 50, "only {} operations of the disk", found.operations);
    assert!(found.violations.is_empty(), "of {} images: {:?}", found.images, found.violations);
}
