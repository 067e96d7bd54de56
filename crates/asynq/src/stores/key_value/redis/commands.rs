//! Commands for operations, and replies from their values.

use redis::{ErrorKind, Pipeline, RedisError, RedisResult, Value, from_redis_value};

use crate::stores::key_value::operation::{Action, Operation, Replies, Reply};

/// Returns a command for each operation. Gets are not one `MGET`, which returns no value, instead of an
/// error, for a key whose value is no text.
pub(super) fn pipeline(operations: &[Operation]) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for operation in operations {
        let key = operation.key();
        match operation.action() {
            Action::Get => {
                pipeline.cmd("GET").arg(key);
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
    if values.len() != operations.len() {
        let error = RedisError::from((
            ErrorKind::UnexpectedReturnType,
            "the server returned a wrong number of replies",
            format!("{} for {} commands", values.len(), operations.len()),
        ));
        return operations.iter().map(|_| Err(error.clone().into())).collect();
    }
    let values = operations.iter().zip(values);
    values.map(|(operation, value)| Ok(reply(operation, value)?)).collect()
}

fn reply(operation: &Operation, value: Value) -> RedisResult<Reply> {
    let value = value.extract_error()?;
    Ok(match operation.action() {
        Action::Get => Reply::Value(from_redis_value(value)?),
        Action::Set { .. } => Reply::Stored,
        Action::Delete => Reply::Deleted(from_redis_value(value)?),
        _ => Reply::Redis(value),
    })
}
