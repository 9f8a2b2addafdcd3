package io.tidegate.examples.flights;

/** The two versions of the job's code; they differ in what {@link Row} writes. */
enum Version {
    V1,
    V2
}
