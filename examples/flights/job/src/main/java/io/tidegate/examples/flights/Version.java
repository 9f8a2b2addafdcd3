package io.tidegate.examples.flights;

/**
 * The versions of the job's code; they differ in what {@link Row} writes, each adds to the one
 * before.
 */
enum Version {
    V1,
    V2,
    V3
}
