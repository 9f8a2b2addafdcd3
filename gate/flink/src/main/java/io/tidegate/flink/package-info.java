/**
 * The gate for Apache Flink: what a job embeds.
 *
 * <p>{@link io.tidegate.flink.GatedSink} puts a gate in front of a sink and knows from the sink's
 * committer what is visible downstream; {@link io.tidegate.flink.Gate} puts one anywhere in a
 * stream. Both are configured by {@link io.tidegate.flink.TidegateOptions} only, so the same jar
 * runs as either color.
 *
 * <p>The rules of what a gate does with a record are not here: they live in the native library, in
 * the same state machines that the controller and the model checker use. Java translates and
 * forwards.
 */
package io.tidegate.flink;
