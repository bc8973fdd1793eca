//! The migrations runner: interrupted, tampered with, out of order.

#[path = "../../tests/harness/folder.rs"]
mod folder;

use std::path::PathBuf;
use std::sync::LazyLock;

use snag_warehouse::migrate::{self, Migration, State};
use snag_warehouse::{EmbeddedOptions, ErrorKind, Query, Warehouse};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(folder::own);

fn open(database: &str) -> Warehouse {
    Warehouse::embedded(EmbeddedOptions {
        database: database.to_owned(),
        fsync: false,
        ..EmbeddedOptions::new(&*FOLDER)
    })
    .expect("the engine starts")
}

const ONE: Migration<'_> = Migration {
    version: 1,
    name: "one",
    up: "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = MergeTree ORDER BY x; -- first; of two\n\
         CREATE TABLE IF NOT EXISTS b (x UInt8) ENGINE = MergeTree ORDER BY x;",
    down: "DROP TABLE IF EXISTS b; DROP TABLE IF EXISTS a;",
};
const TWO: Migration<'_> = Migration {
    version: 2,
    name: "two",
    up: "ALTER TABLE a ADD COLUMN IF NOT EXISTS y String",
    down: "ALTER TABLE a DROP COLUMN IF EXISTS y",
};
const THREE: Migration<'_> = Migration {
    version: 3,
    name: "three",
    up: "CREATE TABLE IF NOT EXISTS c (x UInt8) ENGINE = MergeTree ORDER BY x",
    down: "DROP TABLE IF EXISTS c",
};

async fn tables(warehouse: &Warehouse) -> String {
    let sql = "SELECT arrayStringConcat(arraySort(groupArray(name)), ' ') FROM system.tables \
               WHERE database = currentDatabase() AND name != 'schema_migrations'";
    let bytes = warehouse.select(Query::read(sql)).await.expect(sql);
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

async fn states(warehouse: &Warehouse, migrations: &[Migration<'_>]) -> Vec<State> {
    let status = migrate::status(warehouse, migrations)
        .await
        .expect("status");
    status.into_iter().map(|status| status.state).collect()
}

async fn refused(warehouse: &Warehouse, migrations: &[Migration<'_>], why: &str) {
    for outcome in [
        migrate::up(warehouse, migrations).await,
        migrate::down(warehouse, migrations, 1).await,
    ] {
        let error = outcome.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Schema);
        assert!(error.message.contains(why), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_stops_in_the_middle_is_gone_on_with() {
    let warehouse = open("partial");
    assert_eq!(states(&warehouse, &[ONE]).await, [State::Pending]);
    // Stops after its first statement, as a crash would; the file itself stays the same.
    warehouse
        .execute("CREATE VIEW b AS SELECT 1 AS x, throwIf(1) AS y")
        .await
        .expect("a view in the way");
    warehouse
        .execute("CREATE TABLE elsewhere (x UInt8) ENGINE = MergeTree ORDER BY x")
        .await
        .expect("created");
    let wrong = Migration {
        up: "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = MergeTree ORDER BY x; ALTER TABLE b ADD COLUMN z UInt8",
        ..ONE
    };
    let error = migrate::up(&warehouse, &[wrong])
        .await
        .expect_err("the second statement fails");
    assert!(
        error
            .message
            .starts_with("0001_one (applying, statement 2): "),
        "{error}"
    );
    assert_eq!(tables(&warehouse).await, "a b elsewhere");
    assert_eq!(states(&warehouse, &[wrong]).await, [State::Applying(1)]);
    // Another file under the same name is not what was begun.
    refused(&warehouse, &[ONE], "has been changed since").await;

    // With what was in the way gone, it goes on from the second statement.
    warehouse.execute("DROP VIEW b").await.expect("dropped");
    warehouse
        .execute("RENAME TABLE elsewhere TO b")
        .await
        .expect("renamed");
    warehouse.execute("DROP TABLE a").await.expect("dropped");
    assert_eq!(
        migrate::up(&warehouse, &[wrong]).await.expect("up"),
        ["0001_one"]
    );
    assert_eq!(
        tables(&warehouse).await,
        "b",
        "the first statement is not repeated"
    );
    assert_eq!(states(&warehouse, &[wrong]).await, [State::Applied]);
    assert_eq!(
        migrate::down(&warehouse, &[wrong], 1).await.expect("down"),
        ["0001_one"]
    );
    assert_eq!(tables(&warehouse).await, "");
    // Once undone, another file may take its place.
    assert_eq!(
        migrate::up(&warehouse, &[ONE]).await.expect("up"),
        ["0001_one"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undoing_that_stops_in_the_middle_is_finished() {
    let warehouse = open("partial_down");
    let stuck = Migration {
        down: "DROP TABLE IF EXISTS b; DROP TABLE nothing_here; DROP TABLE IF EXISTS a",
        ..ONE
    };
    migrate::up(&warehouse, &[stuck]).await.expect("up");
    let error = migrate::down(&warehouse, &[stuck], 1)
        .await
        .expect_err("it fails");
    assert!(error.message.contains("reverting, statement 2"), "{error}");
    assert_eq!(states(&warehouse, &[stuck]).await, [State::Reverting(1)]);
    warehouse
        .execute("CREATE TABLE nothing_here (x UInt8) ENGINE = MergeTree ORDER BY x")
        .await
        .expect("created");
    // Up finishes the undoing first.
    assert_eq!(
        migrate::up(&warehouse, &[stuck]).await.expect("up"),
        ["0001_one"]
    );
    assert_eq!(tables(&warehouse).await, "a b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_not_this_programs_is_refused() {
    let warehouse = open("history");
    assert_eq!(
        migrate::up(&warehouse, &[ONE, TWO]).await.expect("up"),
        ["0001_one", "0002_two"]
    );
    let changed = Migration {
        up: "SELECT 1",
        ..TWO
    };
    refused(
        &warehouse,
        &[ONE, changed],
        "0002_two is applied, and its file has been changed",
    )
    .await;
    let changed = Migration {
        down: "SELECT 1",
        ..TWO
    };
    refused(
        &warehouse,
        &[ONE, changed],
        "0002_two is applied, and its file has been changed",
    )
    .await;
    refused(
        &warehouse,
        &[ONE],
        "0002_two is applied, and this program does not know it",
    )
    .await;
    refused(&warehouse, &[ONE, THREE], "has a gap before 0003_three").await;
    let status = migrate::status(&warehouse, &[ONE]).await.expect("status");
    assert!(status[1].fault.is_some(), "{status:?}");

    // Applied without its predecessor, by a program whose files were others.
    warehouse
        .execute(
            "INSERT INTO schema_migrations SELECT 4, 'four', 'x', 'applied', 1, now64(3), max(revision) + 1 \
             FROM schema_migrations",
        )
        .await
        .expect("inserted");
    let four = Migration {
        version: 4,
        name: "four",
        ..THREE
    };
    refused(
        &warehouse,
        &[ONE, TWO, THREE, four],
        "0003_three is not applied, and 0004 is",
    )
    .await;
    assert_eq!(tables(&warehouse).await, "a b", "nothing was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_undone_from_the_last() {
    let warehouse = open("steps");
    let all = [ONE, TWO, THREE];
    migrate::up(&warehouse, &all).await.expect("up");
    assert_eq!(
        migrate::down(&warehouse, &all, 2).await.expect("down"),
        ["0003_three", "0002_two"]
    );
    assert_eq!(
        states(&warehouse, &all).await,
        [State::Applied, State::Pending, State::Pending]
    );
    assert_eq!(
        migrate::down(&warehouse, &all, 9).await.expect("down"),
        ["0001_one"]
    );
    assert!(
        migrate::down(&warehouse, &all, 1)
            .await
            .expect("down")
            .is_empty()
    );
}

/// What the rollups of feedback say, by dimension, wherever they are.
async fn counted(warehouse: &Warehouse, dimension: &str, from: &str) -> String {
    let (keys, tag) = match dimension {
        "day" => ("app, category", false),
        "hour" => ("hour, quarter, app, category", false),
        "target" => ("hour, quarter, app, screen, category", false),
        _ => ("hour, quarter, tag, app, screen, category", true),
    };
    let figures = if tag {
        "sum(submissions)"
    } else {
        "sum(submissions), sum(rated), sum(rating_sum), sum(rating_2), sum(rating_5), sum(positive), \
         sum(negative), sum(polarity_micro), arraySort(groupUniqArrayArray(devices))"
    };
    let sql = format!(
        "SELECT org, product, {keys}, version, segment, {figures} FROM {from} \
         GROUP BY ALL ORDER BY ALL FORMAT TabSeparated"
    );
    let bytes = warehouse.select(Query::read(&sql)).await.expect(&sql);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn one_rollup_of_feedback_keeps_what_four_have_counted() {
    const DIMENSIONS: [&str; 4] = ["day", "hour", "target", "tag"];
    let warehouse = open("figures");
    let execute = async |sql: &str| warehouse.execute(sql).await.expect(sql);
    let count = migrate::MIGRATIONS
        .iter()
        .position(|migration| migration.name == "feedback_rollup")
        .expect("a migration");
    let (before, through) = (
        &migrate::MIGRATIONS[..count],
        &migrate::MIGRATIONS[..=count],
    );
    migrate::up(&warehouse, before).await.expect("up");
    let submit = "INSERT INTO submissions SELECT toString(number % 2), 'default', generateUUIDv4(), \
        toUUID('00000000-0000-0000-0000-00000000000' || toString(number % 7)), \
        toDateTime64('2026-11-20 23:50:00', 3, 'UTC') - toIntervalMinute(number * 37), \
        toDateTime('2026-11-20 23:50:00', 'UTC'), '', ['bug', 'idea'][1 + number % 2], number % 6, \
        ['', 'positive', 'negative'][1 + number % 3], [0, 400000, -300000][1 + number % 3], \
        [['slow'], ['slow', 'PDF'], []][1 + number % 3], 'excel', toString(number % 5), '0.1.0', '' \
        FROM numbers(3000)";
    execute(submit).await;
    // Retention took half of the rows; their figures stay.
    execute("ALTER TABLE submissions DELETE WHERE at < '2026-10-15' SETTINGS mutations_sync = 2")
        .await;
    let mut first = Vec::new();
    for dimension in DIMENSIONS {
        first.push(counted(&warehouse, dimension, &format!("feedback_by_{dimension}")).await);
        assert!(first.iter().all(|rows| rows.lines().count() >= 2));
    }
    migrate::up(&warehouse, through).await.expect("up");
    for (dimension, first) in DIMENSIONS.iter().zip(&first) {
        let from = format!("feedback_rollup WHERE dimension = '{dimension}'");
        assert_eq!(&counted(&warehouse, dimension, &from).await, first);
    }
    // The same rows again, now counted by the one view, and back into four.
    execute("TRUNCATE TABLE submissions").await;
    execute("TRUNCATE TABLE feedback_rollup").await;
    execute(submit).await;
    migrate::down(&warehouse, through, 1).await.expect("down");
    for (dimension, first) in DIMENSIONS.iter().zip(&first) {
        let from = format!("feedback_by_{dimension}");
        assert_eq!(&counted(&warehouse, dimension, &from).await, first);
    }
    execute(submit).await;
    let twice = "SELECT sum(submissions) FROM feedback_by_hour";
    let twice = warehouse.select(Query::read(twice)).await.expect(twice);
    assert_eq!(twice.as_ref(), b"6000\n");
}
