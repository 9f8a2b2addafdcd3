package io.tidegate.flink;

import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A cluster for all tests of a class, and for each two members that go step by step. */
@Timeout(180)
abstract class SteppedTestBase {
    static final long BOUNDARY = 1_000;
    static final long COUNT = 2_000;

    static TestingCluster cluster;

    @TempDir Path folder;
    SteppedCutover cutover;

    @BeforeAll
    static void startCluster() throws Exception {
        cluster = TestingCluster.start(4, new Configuration());
    }

    @AfterAll
    static void closeCluster() throws Exception {
        cluster.close();
    }

    @BeforeEach
    void begin() {
        cutover = new SteppedCutover(folder);
    }

    @AfterEach
    void cancel() throws Exception {
        cutover.close();
    }

    SteppedJob member(Color color) throws Exception {
        return new SteppedJob(cluster, folder, color, COUNT).parallelism(2);
    }
}
