/** A small job with a gated Kafka sink. */
package io.tidegate.examples.bills;
