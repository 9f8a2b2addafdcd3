package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** What the jobs of {@link TestingJob} share, as a person sees it. */
final class TestingStore {
    private final Path rollout;

    TestingStore(Path folder) {
        rollout = folder.resolve("store/numbers");
    }

    /**
     * Ready, with an order, and free of trouble: what it takes to be promoted. Before its order it
     * may be full.
     */
    void awaitStandby(String member) throws Exception {
        Path report = rollout.resolve("reports/" + member + ".json");
        Eventually.becomes(
                member + "'s readiness",
                () -> Files.exists(report) ? Files.readString(report) : "",
                text ->
                        text.contains("\"ready\": 1")
                                && text.contains("\"epoch\": 1")
                                && text.contains("\"trouble\": []"));
    }

    /**
     * Asks for a cutover, and waits until it is taken up.
     *
     * @param at {@code now}, or a boundary
     */
    void promote(String member, String at) throws Exception {
        Files.writeString(rollout.resolve("request"), "promote: " + at + "\nto: " + member + "\n");
        String answered =
                Eventually.becomes(
                        "an answer to the request",
                        this::document,
                        text -> !text.contains("\"answered\": null"));
        assertTrue(answered.contains("\"refused\": null"), answered);
    }

    String document() throws Exception {
        return Files.readString(rollout.resolve("document.json"));
    }
}
