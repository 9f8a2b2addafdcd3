//! Keeps this library in memory for as long as the process lives, whoever closes it.
#![allow(
    unsafe_code,
    reason = "there is no other way to ask the dynamic linker; rustix and libloading cannot name a library by an address in it"
)]

use std::ffi::CStr;
use std::mem::MaybeUninit;

use crate::Error;

/// Threads that never end may then run in this library. The price is the library's size, once for each file that it was
/// loaded from. May be called often.
pub(crate) fn this_library() -> Result<(), Error> {
    let here = this_library as fn() -> Result<(), Error> as *const libc::c_void;
    let mut found = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: there is room for the answer; any address may be asked for.
    let known = unsafe { libc::dladdr(here, found.as_mut_ptr()) };
    // SAFETY: zeros are a Dl_info, too.
    let name = unsafe { found.assume_init() }.dli_fname;
    if known == 0 || name.is_null() {
        return Err(failed("the dynamic linker does not know it"));
    }
    // The file may be deleted; the linker goes by the name under which it has the library.
    let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: the name is the linker's own; the library is loaded, so no initialiser runs. The handle is given to nobody.
    let handle = unsafe { libc::dlopen(name, flags) };
    if !handle.is_null() {
        return Ok(());
    }
    // SAFETY: after a failure it is null or a text that lasts until this thread's next call of the linker.
    let why =
        unsafe { libc::dlerror().as_ref().map(|text| CStr::from_ptr(text).to_string_lossy().into_owned()) };
    Err(failed(why.as_deref().unwrap_or("the dynamic linker does not find it by its name")))
}

fn failed(why: &str) -> Error {
    Error::Said(format!(
        "PinFailed: the native library cannot be kept in memory, which a ZooKeeper store needs ({why}); \
         use another kind of store, and report this"
    ))
}
