//! What must be true when all is over, read from the database and the store themselves, not from a node.
//!
//! | what | how it is looked at |
//! |---|---|
//! | a save answered 200 is the content of its file or a version of it, under the number that was told | the rows of `files` and `versions`, and the bytes in the store |
//! | a save answered 409 or 412 is neither | the same |
//! | a file made by PutRelativeFile is there, whole, under a name that nobody else was given | `names`, and the bytes |
//! | no bytes that something points to are missing | every column that points to bytes, beside the keys in the bucket |
//! | no bytes that nothing points to are left | the same, once the nodes have swept |

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::history::{Asked, Call, Got, Save};
use super::shared::{Everyone, Made, Making, Target, lock};
use super::world::World;

/// How long the nodes may take to sweep away what nobody points to.
const SWEEP_TIME_MAX: Duration = Duration::from_secs(90);

/// The columns that point to bytes. A content that is composed has none of its own, its pieces have.
const POINTED_TO: &str = "
    SELECT content_id FROM files
    UNION SELECT pending_content_id FROM files WHERE pending_content_id IS NOT NULL
    UNION SELECT content_id FROM versions
    UNION SELECT content_id FROM rescued
    UNION SELECT content_id FROM streams
    UNION SELECT content_id FROM upload_pieces
    UNION SELECT piece_id FROM composed";

/// What the database points to, and what the store has, at one moment at which nothing was on its way.
pub(crate) struct Bytes {
    /// The contents that something points to and that must be in the store.
    wanted: BTreeSet<String>,
    /// Those that are made of pieces, and what of.
    composed: HashMap<String, Vec<(String, usize, usize)>>,
    /// Those of them that nothing points to.
    dangling: BTreeSet<String>,
    /// The keys of the objects there are, by content.
    there: HashMap<String, String>,
}

impl Bytes {
    pub(crate) async fn look(world: &World) -> Self {
        let text = |cell: Option<String>| cell.expect("never NULL");
        let number = |cell: Option<String>| text(cell).parse::<usize>().expect("a number");
        let mut composed: HashMap<String, Vec<(String, usize, usize)>> = HashMap::new();
        let pieces = "SELECT encode(content_id, 'hex'), encode(piece_id, 'hex'), piece_offset, size FROM composed \
                      ORDER BY content_id, start";
        for row in world.rows(pieces) {
            let [content, piece, offset, size] = row.try_into().expect("four columns");
            composed.entry(text(content)).or_default().push((text(piece), number(offset), number(size)));
        }
        let pointed_to = format!("SELECT encode(content_id, 'hex') FROM ({POINTED_TO}) AS pointed");
        let mut wanted: BTreeSet<String> =
            world.rows(&pointed_to).into_iter().map(|mut row| text(row.remove(0))).collect();
        let dangling = composed.keys().filter(|content| !wanted.contains(*content)).cloned().collect();
        wanted.retain(|content| !composed.contains_key(content));
        let keys = world.s3.lock().await.keys();
        let there = keys.into_iter().filter_map(|key| {
            let content = key.rsplit('/').next()?.to_owned();
            Some((content, key))
        });
        Self { wanted, composed, dangling, there: there.collect() }
    }

    /// What something points to and what is not there.
    pub(crate) fn missing(&self) -> Vec<&String> {
        self.wanted.iter().filter(|content| !self.there.contains_key(*content)).collect()
    }

    /// What is there and what nothing points to.
    fn left_over(&self) -> Vec<&String> {
        self.there.keys().filter(|content| !self.wanted.contains(*content)).chain(&self.dangling).collect()
    }

    /// The bytes of a content.
    async fn read(&self, world: &World, content: &str) -> Result<Vec<u8>, String> {
        let object = async |content: &str| {
            let key = self.there.get(content).ok_or_else(|| format!("the content {content} is not there"))?;
            Ok::<_, String>(world.s3.lock().await.object(key))
        };
        let Some(pieces) = self.composed.get(content) else { return object(content).await };
        let mut bytes = Vec::new();
        for (piece, offset, size) in pieces {
            let object = object(piece).await?;
            let part = object.get(*offset..offset + size);
            bytes.extend_from_slice(part.ok_or_else(|| format!("the piece {piece} is too short"))?);
        }
        Ok(bytes)
    }
}

/// Numbers for the report.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Summary {
    /// Versions of all files, current ones too.
    pub(crate) versions: usize,
    /// Refused saves that were kept.
    pub(crate) rescued: usize,
    /// Objects in the store, after the last sweep.
    pub(crate) objects: usize,
}

/// Looks at everything. Nothing may be on its way, and all nodes must be ready.
pub(crate) async fn check(world: &World, shared: &Everyone) -> Summary {
    let bytes = swept(world, shared).await;
    let mut summary = Summary { objects: bytes.there.len(), ..Summary::default() };
    for target in &shared.targets {
        let history = shared.histories().swap_remove(target.number);
        summary.versions += file(world, shared, &bytes, target, &history.calls).await;
    }
    relatives(world, shared, &bytes).await;
    for row in world.rows("SELECT encode(content_id, 'hex') FROM rescued") {
        summary.rescued += 1;
        let content = row[0].as_deref().expect("never NULL");
        match bytes.read(world, content).await {
            // What was cut off is not kept, so what is kept is whole.
            Ok(bytes) => {
                if let Err(why) = shared.save_of(&bytes) {
                    shared.is_wrong(format!("a rescued save: {why}"));
                }
            }
            Err(why) => shared.is_wrong(format!("a rescued save: {why}")),
        }
    }
    front_door(world, shared);
    summary
}

/// Waits until the sweeps have left nothing that nobody points to.
async fn swept(world: &World, shared: &Everyone) -> Bytes {
    let end = Instant::now() + SWEEP_TIME_MAX;
    // Whoever swept last may have been killed in the middle.
    world.forget_who_sweeps();
    loop {
        let bytes = Bytes::look(world).await;
        let missing = bytes.missing();
        if !missing.is_empty() {
            shared.is_wrong(format!("{} contents are pointed to and not there: {missing:?}", missing.len()));
            return bytes;
        }
        let left_over = bytes.left_over();
        if left_over.is_empty() {
            return bytes;
        }
        if Instant::now() > end {
            let count = left_over.len();
            shared.is_wrong(format!("{count} contents are there and nothing points to them: {left_over:?}"));
            return bytes;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// One file: its versions beside what its clients were told. How many versions it has.
async fn file(world: &World, shared: &Everyone, bytes: &Bytes, target: &Target, calls: &[Call]) -> usize {
    let id = target.id();
    let rows = world.rows(&format!(
        "SELECT version, encode(content_id, 'hex') FROM files WHERE id = '{id}'
         UNION ALL SELECT version, encode(content_id, 'hex') FROM versions WHERE file_id = '{id}'"
    ));
    let mut kept: BTreeMap<Save, u64> = BTreeMap::new();
    for row in &rows {
        let [Some(version), Some(content)] = &row[..] else { panic!("two columns that are never NULL: {row:?}") };
        let save = match bytes.read(world, content).await {
            Ok(bytes) => shared.save_of(&bytes),
            Err(why) => Err(why),
        };
        match save {
            Ok(save) => {
                if let Some(other) = kept.insert(save, version.parse().expect("a number")) {
                    shared.is_wrong(format!("file {}: save {save} is version {other} and {version}", target.number));
                }
            }
            Err(why) => shared.is_wrong(format!("file {}, version {version}: {why}", target.number)),
        }
    }
    for wrong in unlike(calls, &kept) {
        shared.is_wrong(format!("file {}: {wrong}", target.number));
    }
    rows.len()
}

/// What was told of saves and is not so, where these saves are kept under these versions.
pub(crate) fn unlike(calls: &[Call], kept: &BTreeMap<Save, u64>) -> Vec<String> {
    let mut wrong = Vec::new();
    for call in calls {
        let Some(save) = call.asked.save() else { continue };
        match (&call.got, kept.get(&save)) {
            (Got::Done, Some(version)) if call.version == Some(*version) => {}
            (Got::Done, Some(version)) => wrong.push(format!("it is version {version}: {call}")),
            (Got::Done, None) => wrong.push(format!("a save that was answered 200 is lost: {call}")),
            (Got::Locked(_) | Got::Refused | Got::Stale(_), Some(version)) => {
                wrong.push(format!("a save that was refused became version {version}: {call}"));
            }
            _ => {}
        }
    }
    let asked: HashSet<Save> = calls.iter().filter_map(|call| call.asked.save()).collect();
    // The first content was nobody's call.
    let strangers = kept.keys().filter(|save| !asked.contains(save)).count();
    if strangers > 1 {
        wrong.push(format!("{strangers} versions are saves of other files"));
    }
    wrong
}

/// The files that PutRelativeFile made.
async fn relatives(world: &World, shared: &Everyone, bytes: &Bytes) {
    let made = lock(&shared.made).clone();
    let mut there = HashMap::new();
    for row in world.rows(
        "SELECT names.name, files.id, encode(files.content_id, 'hex') FROM names JOIN files ON files.id = names.id",
    ) {
        let [name, id, content] = row.map_cells();
        there.insert(name, (id, content));
    }
    let mut by_name: BTreeMap<&str, Vec<&Made>> = BTreeMap::new();
    for one in &made {
        by_name.entry(&one.name).or_default().push(one);
    }
    for (name, all) in by_name {
        let found = match there.get(name) {
            None => None,
            Some((id, content)) => match bytes.read(world, content).await {
                Ok(bytes) => Some((id.clone(), shared.save_of(&bytes))),
                Err(why) => Some((id.clone(), Err(why))),
            },
        };
        if let Err(why) = relative(&all, found) {
            shared.is_wrong(format!("`{name}`: {why}"));
        }
    }
}

/// Whether what was told of a name can be, if this file with this save has it in the end.
fn relative(all: &[&Made], found: Option<(String, Result<Save, String>)>) -> Result<(), String> {
    let with = |wanted: fn(&Making) -> bool| all.iter().filter(move |one| wanted(&one.outcome));
    let made: Vec<_> = with(|outcome| matches!(outcome, Making::Made { .. })).collect();
    let perhaps = with(|outcome| *outcome == Making::Perhaps)
        .any(|one| matches!(&found, Some((_, Ok(save))) if *save == one.save));
    match (&made[..], found) {
        ([_, _, ..], _) => Err(format!("two were given it: {made:?}")),
        ([one], Some((id, Ok(save)))) if save == one.save => match &one.outcome {
            Making::Made { target } if target.contains(&id) => Ok(()),
            other => Err(format!("{other:?}, but its id is {id}")),
        },
        ([one], found) => Err(format!("{one:?}, but there is {found:?}")),
        ([], Some((_, Ok(save)))) if perhaps => {
            debug_assert!(all.iter().any(|one| one.save == save));
            Ok(())
        }
        ([], Some((_, save))) => Err(format!("nobody made what is there: {save:?}")),
        ([], None) => match with(|outcome| *outcome == Making::Taken).next() {
            None => Ok(()),
            Some(refused) => Err(format!("{refused:?}, but nothing is there")),
        },
    }
}

/// What the commands say is what the database says.
fn front_door(world: &World, shared: &Everyone) {
    for target in &shared.targets {
        let id = target.id();
        let name = world.rows(&format!("SELECT name FROM files WHERE id = '{id}'")).swap_remove(0).swap_remove(0);
        let name = name.expect("never NULL");
        let mut expected: Vec<String> = world
            .rows(&format!("SELECT version FROM versions WHERE file_id = '{id}' ORDER BY version DESC"))
            .into_iter()
            .map(|mut row| row.remove(0).expect("never NULL"))
            .collect();
        let listed = world.operator_json(&["versions", &name, "--json"]);
        let listed: Vec<String> = listed
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|version| version["version"].as_str().map(str::to_owned))
            .collect();
        if listed != expected {
            shared.is_wrong(format!("`lectern versions` lists others than there are of file {}", target.number));
        }
        expected.dedup();
        let sample = [expected.first(), expected.get(expected.len() / 2)];
        for version in sample.into_iter().flatten() {
            let bytes = world.operator(&["versions", &name, "--get", version]);
            if let Err(why) = shared.save_of(&bytes) {
                shared.is_wrong(format!("`lectern versions --get {version}` of file {}: {why}", target.number));
            }
        }
    }
}

/// Rows of so many columns, none of which is NULL.
trait Cells {
    fn map_cells<const N: usize>(self) -> [String; N];
}

impl Cells for Vec<Option<String>> {
    fn map_cells<const N: usize>(self) -> [String; N] {
        let cells: Vec<String> = self.into_iter().map(|cell| cell.expect("never NULL")).collect();
        cells.try_into().expect("as many columns as were asked for")
    }
}

/// Whether a call is a save that nobody was told the end of.
pub(crate) fn in_doubt(call: &Call) -> bool {
    call.got == Got::Perhaps && matches!(call.asked, Asked::PutFile { .. } | Asked::PutChunkedFile { .. })
}
