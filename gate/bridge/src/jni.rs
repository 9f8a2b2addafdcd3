//! The calls of `io.tidegate.flink.internal.Native`.
#![allow(
    unsafe_code,
    reason = "exported names are unsafe attributes; there is no other unsafe code in this file"
)]

use std::any::Any;
use std::sync::Mutex;

use jni::errors::ErrorPolicy;
use jni::objects::{IntoAuto, JByteArray, JClass, JIntArray, JLongArray, JObjectArray};
use jni::strings::JNIString;
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};

use crate::agent::AgentHandle;
use crate::pin;
use crate::registry::Registry;
use crate::subtask::{OUT, SubtaskHandle};
use crate::{Error, bug};

static SUBTASKS: Registry<Mutex<SubtaskHandle>> = Registry::new();
static AGENTS: Registry<AgentHandle> = Registry::new();

/// Errors and panics become exceptions of our own.
struct Throw;

impl Throw {
    fn throw(env: &mut Env<'_>, message: &str) {
        if !env.exception_check() {
            // The error says that an exception is pending, which is what is wanted.
            let _ = env
                .throw_new(JNIString::from("io/tidegate/flink/TidegateException"), JNIString::from(message));
        }
    }
}

impl<T: Default> ErrorPolicy<T, Error> for Throw {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut (),
        error: Error,
    ) -> jni::errors::Result<T> {
        Throw::throw(env, &error.to_string());
        Ok(T::default())
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut (),
        payload: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        Throw::throw(env, &bug(payload.as_ref()));
        Ok(T::default())
    }
}

fn bytes(env: &Env<'_>, array: &JByteArray<'_>) -> Result<Vec<u8>, Error> {
    Ok(env.convert_byte_array(array)?)
}

fn longs(env: &Env<'_>, array: &JLongArray<'_>) -> Result<Vec<i64>, Error> {
    let mut values = vec![0; array.len(env)?];
    array.get_region(env, 0, &mut values)?;
    Ok(values)
}

fn ints(env: &Env<'_>, array: &JIntArray<'_>) -> Result<Vec<i32>, Error> {
    let mut values = vec![0; array.len(env)?];
    array.get_region(env, 0, &mut values)?;
    Ok(values)
}

/// Runs a call that gives numbers back. Without room for them nothing is done: the machine must not be ahead of its caller.
fn with_out<R>(
    env: &Env<'_>,
    array: &JLongArray<'_>,
    call: impl FnOnce(&mut [i64; OUT]) -> Result<R, Error>,
) -> Result<R, Error> {
    let room = array.len(env)?;
    if room < OUT {
        return Err(Error::BadCall(format!("out has room for {room} numbers, and {OUT} are needed")));
    }
    let mut out = [0; OUT];
    let result = call(&mut out)?;
    array.set_region(env, 0, &out)?;
    Ok(result)
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskOpen<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    config: JByteArray<'l>,
) -> jlong {
    env.with_env(|env| Ok(SUBTASKS.open(Mutex::new(SubtaskHandle::open(&bytes(env, &config)?)?))))
        .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskClose<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
) {
    env.with_env(|_| {
        SUBTASKS.close(handle);
        Ok(())
    })
    .resolve::<Throw>();
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskRestore<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    headers: JObjectArray<'l, JByteArray<'l>>,
    times: JLongArray<'l>,
    sizes: JIntArray<'l>,
    out: JLongArray<'l>,
) {
    env.with_env(|env| {
        let mut read = Vec::new();
        for index in 0..headers.len(env)? {
            // There are as many as the gate had subtasks: each reference is given back at once.
            let header = headers.get_element(env, index)?.auto();
            read.push(bytes(env, &header)?);
        }
        let (times, sizes) = (longs(env, &times)?, ints(env, &sizes)?);
        SUBTASKS
            .with(handle, |subtask| with_out(env, &out, |out| subtask.restore(&read, &times, &sizes, out)))
    })
    .resolve::<Throw>();
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskAdmit<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    timestamp: jlong,
    size: jint,
    out: JLongArray<'l>,
) -> jint {
    env.with_env(|env| {
        SUBTASKS.with(handle, |subtask| {
            with_out(env, &out, |out| {
                Ok(jint::from(subtask.admit(timestamp, size, tidegate_agent::now(), out)?))
            })
        })
    })
    .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskHeldBytes<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    size: jint,
) {
    env.with_env(|_| SUBTASKS.with(handle, |subtask| subtask.held_bytes(size))).resolve::<Throw>();
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskFull<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
) -> jboolean {
    env.with_env(|_| SUBTASKS.with(handle, SubtaskHandle::is_full)).resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskAccount<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    emitted: jlong,
    emitted_high: jlong,
    discarded: jlong,
    discarded_high: jlong,
) {
    env.with_env(|_| {
        SUBTASKS.with(handle, |subtask| subtask.account(emitted, emitted_high, discarded, discarded_high))
    })
    .resolve::<Throw>();
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskWatermark<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    watermark: jlong,
    out: JLongArray<'l>,
) -> jlong {
    env.with_env(|env| {
        SUBTASKS.with(handle, |subtask| with_out(env, &out, |out| subtask.watermark(watermark, out)))
    })
    .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskIdle<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    idle: jboolean,
) -> jboolean {
    env.with_env(|_| SUBTASKS.with(handle, |subtask| subtask.idle(idle, tidegate_agent::now())))
        .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskOrder<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    order: JByteArray<'l>,
    out: JLongArray<'l>,
) -> JByteArray<'l> {
    env.with_env(|env| {
        let order = bytes(env, &order)?;
        let dispositions =
            SUBTASKS.with(handle, |subtask| with_out(env, &out, |out| subtask.order(&order, out)))?;
        let array = JByteArray::new(env, dispositions.len())?;
        array.set_region(env, 0, &dispositions)?;
        Ok(array)
    })
    .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskSnapshot<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    checkpoint: jlong,
) -> JByteArray<'l> {
    env.with_env(|env| {
        let header = SUBTASKS.with(handle, |subtask| subtask.snapshot(checkpoint, tidegate_agent::now()))?;
        Ok(env.byte_array_from_slice(&header)?)
    })
    .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskFinish<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
) -> jboolean {
    env.with_env(|_| SUBTASKS.with(handle, SubtaskHandle::finish)).resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskStatus<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    _now: jlong,
) -> JByteArray<'l> {
    env.with_env(|env| Ok(env.byte_array_from_slice(&SUBTASKS.with(handle, SubtaskHandle::status)?)?))
        .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_subtaskCounters<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
) -> JByteArray<'l> {
    env.with_env(|env| Ok(env.byte_array_from_slice(&SUBTASKS.with(handle, SubtaskHandle::counters)?)?))
        .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_agentOpen<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    config: JByteArray<'l>,
) -> jlong {
    env.with_env(|env| Ok(AGENTS.open(AgentHandle::open(&bytes(env, &config)?, pin::this_library)?)))
        .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_agentNext<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
) -> JByteArray<'l> {
    env.with_env(|env| match AGENTS.get(handle)?.next(handle)? {
        Some(instruction) => Ok(env.byte_array_from_slice(&instruction)?),
        None => Ok(JByteArray::null()),
    })
    .resolve::<Throw>()
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_agentTell<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
    event: JByteArray<'l>,
) {
    env.with_env(|env| AGENTS.get(handle)?.tell(&bytes(env, &event)?)).resolve::<Throw>();
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_agentClose<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
) {
    env.with_env(|_| {
        if let Ok(agent) = AGENTS.get(handle) {
            agent.close();
        }
        Ok(())
    })
    .resolve::<Throw>();
}

#[unsafe(no_mangle)]
extern "system" fn Java_io_tidegate_flink_internal_Native_agentFree<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    handle: jlong,
) {
    env.with_env(|_| {
        if let Some(agent) = AGENTS.close(handle) {
            agent.close();
        }
        Ok(())
    })
    .resolve::<Throw>();
}
