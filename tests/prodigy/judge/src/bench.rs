//! Loops of the program, timed, as peers of the benchmarks.

use anyhow::{bail, Result};
use chrono::{DateTime, Utc};
use prodigy::cook::execution::dlq::{DeadLetterQueue, DeadLetteredItem};
use prodigy::cook::execution::events::{EventLogger, EventRecord, JsonlEventWriter, MapReduceEvent};
use prodigy::cook::execution::mapreduce::checkpoint::{CheckpointStorage, FileCheckpointStorage, MapReduceCheckpoint};
use prodigy::cook::execution::mapreduce::MapReduceConfig;
use prodigy::cook::execution::state::{CheckpointManager, MapReduceJobState};
use serde_json::{json, Value};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio::io::AsyncBufReadExt;

/// Run one of them; the answer holds seconds and how many were done.
pub async fn run(name: &str, words: &[&str]) -> Result<Value> {
    match (name, words) {
        ("log", [file, count]) => log(Path::new(file), count.parse()?).await,
        ("aggregate", [folder]) => aggregate(Path::new(folder)).await,
        ("dead-letters", [folder, item, present, count]) => {
            dead_letters(folder.into(), Path::new(item), present.parse()?, count.parse()?).await
        }
        ("checkpoint", [document, folder]) => checkpoint(Path::new(document), folder.into()).await,
        ("state", [items, folder]) => state(Path::new(items), folder.into()).await,
        _ => bail!("no such benchmark, or not its arguments: {name} {words:?}"),
    }
}

fn took(start: Instant, count: usize) -> Value {
    json!({"seconds": start.elapsed().as_secs_f64(), "count": count})
}

/// Log events through the program's logger, which writes them by the thousand.
async fn log(file: &Path, count: usize) -> Result<Value> {
    let writer = JsonlEventWriter::new(file.to_path_buf()).await?;
    let logger = EventLogger::new(vec![Box::new(writer)]);
    let job = "mapreduce-20250311_060000";
    let start = Instant::now();
    for number in 0..count {
        let event = MapReduceEvent::AgentStarted {
            job_id: job.to_string(),
            agent_id: "agent-item_1".to_string(),
            item_id: format!("item_{number}"),
            worktree: format!("mapreduce-agent-{job}_agent_1"),
            attempt: 1,
        };
        logger.log(event).await?;
    }
    logger.flush().await?;
    Ok(took(start, count))
}

/// What the program's store counts when it aggregates a job: each file is read whole, then counted.
///
/// The store itself is private to the crate; its types and its way of reading are not.
async fn aggregate(folder: &Path) -> Result<Value> {
    let start = Instant::now();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut times: Option<(DateTime<Utc>, DateTime<Utc>)> = None;
    for file in &files {
        for record in records(file).await? {
            *counts.entry(record.event.event_name().to_string()).or_insert(0) += 1;
            let (first, last) = times.unwrap_or((record.timestamp, record.timestamp));
            times = Some((first.min(record.timestamp), last.max(record.timestamp)));
        }
    }
    let mut answer = took(start, counts.values().sum());
    answer["counts"] = json!(counts);
    Ok(answer)
}

async fn records(file: &Path) -> Result<Vec<EventRecord>> {
    let mut lines = tokio::io::BufReader::new(tokio::fs::File::open(file).await?).lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next_line().await? {
        if let Ok(record) = serde_json::from_str::<EventRecord>(&line) {
            found.push(record);
        }
    }
    Ok(found)
}

/// Add dead letters to a queue that holds some already.
async fn dead_letters(folder: PathBuf, item: &Path, present: usize, count: usize) -> Result<Value> {
    let sample: DeadLetteredItem = serde_json::from_slice(&std::fs::read(item)?)?;
    let named = |number: usize| DeadLetteredItem {
        item_id: format!("item_{number}"),
        ..sample.clone()
    };
    let items = folder.join("mapreduce/dlq/bench/items");
    std::fs::create_dir_all(&items)?;
    for number in 0..present {
        std::fs::write(
            items.join(format!("item_{number}.json")),
            serde_json::to_vec_pretty(&named(number))?,
        )?;
    }
    let queue = DeadLetterQueue::new("bench".into(), folder, usize::MAX, 30, None).await?;
    let start = Instant::now();
    for number in present..present + count {
        queue.add(named(number)).await?;
    }
    Ok(took(start, count))
}

/// Save a checkpoint as the program does by default: pretty, gzip, no sync.
async fn checkpoint(document: &Path, folder: PathBuf) -> Result<Value> {
    let state: MapReduceCheckpoint = serde_json::from_slice(&std::fs::read(document)?)?;
    let storage = FileCheckpointStorage::new(folder, true);
    let start = Instant::now();
    storage.save_checkpoint(&state).await?;
    Ok(took(start, 1))
}

/// Save a job's state: pretty, synced.
async fn state(items: &Path, folder: PathBuf) -> Result<Value> {
    let items: Vec<Value> = serde_json::from_slice(&std::fs::read(items)?)?;
    let state = MapReduceJobState::new("bench".into(), MapReduceConfig::default(), items);
    let manager = CheckpointManager::new(folder);
    let start = Instant::now();
    manager.save_checkpoint(&state).await?;
    Ok(took(start, 1))
}
