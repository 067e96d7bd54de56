//! Commands for operations, and replies from their values.

use redis::{ErrorKind, Pipeline, RedisResult, Value, from_redis_value};

use crate::stores::key_value::operation::{Action, Operation, Replies, Reply};

/// Groups the operations by command: successive gets are one command.
fn commands(operations: &[Operation]) -> impl Iterator<Item = &[Operation]> {
    let is_get = |operation: &Operation| matches!(operation.action(), Action::Get);
    operations.chunk_by(move |one, next| is_get(one) && is_get(next))
}

pub(super) fn pipeline(operations: &[Operation]) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for operations in commands(operations) {
        let key = operations[0].key();
        match operations[0].action() {
            Action::Get => {
                pipeline.cmd("MGET");
                for get in operations {
                    pipeline.arg(get.key());
                }
            }
            Action::Set { value, ttl } => {
                pipeline.cmd("SET").arg(key).arg(value);
                if let Some(ttl) = ttl {
                    // The server adds the time since 1970, and needs an `i64`.
                    let longest = i64::MAX.unsigned_abs() / 2;
                    let millis = ttl.as_nanos().div_ceil(1_000_000);
                    pipeline.arg("PX").arg(millis.min(longest.into()));
                }
            }
            Action::Delete => {
                pipeline.cmd("DEL").arg(key);
            }
            Action::Command(command) | Action::Unkeyed(command) => {
                pipeline.add_command(command.clone());
            }
            Action::Refused(reason) => unreachable!("refused operations are not sent: {reason}"),
        }
    }
    pipeline
}

pub(super) fn replies(operations: &[Operation], values: Vec<Value>) -> Replies {
    let mut replies = Vec::with_capacity(operations.len());
    for (operations, value) in commands(operations).zip(values) {
        match reply(operations, value) {
            Ok(some) => replies.extend(some.into_iter().map(Ok)),
            Err(error) => replies.extend(operations.iter().map(|_| Err(error.clone().into()))),
        }
    }
    replies
}

/// Converts the value of one command to the replies to its operations.
fn reply(operations: &[Operation], value: Value) -> RedisResult<Vec<Reply>> {
    let value = value.extract_error()?;
    Ok(match operations[0].action() {
        Action::Get => {
            let values: Vec<Option<Vec<u8>>> = from_redis_value(value)?;
            if values.len() != operations.len() {
                let what = "MGET returned a wrong number of values";
                return Err((ErrorKind::UnexpectedReturnType, what).into());
            }
            values.into_iter().map(Reply::Value).collect()
        }
        Action::Set { .. } => vec![Reply::Stored],
        Action::Delete => vec![Reply::Deleted(from_redis_value(value)?)],
        _ => vec![Reply::Redis(value)],
    })
}
