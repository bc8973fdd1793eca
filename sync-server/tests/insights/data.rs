//! Records made from a seed, and a plain recount of them: what insights must answer.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;
/// 2026-11-01T00:00:00Z
pub(crate) const START: i64 = 1_793_491_200_000;

pub(crate) const KINDS: [&str; 6] = [
    "rage_click",
    "dead_click",
    "backtrack",
    "abandoned_task",
    "error_loop",
    "undo_storm",
];

/// A small generator, so that the data is the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % below
    }

    /// A score in millionths, as a number of that precision.
    fn score(&mut self) -> f64 {
        self.below(1_000_000) as f64 / 1e6
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) device: Uuid,
    pub(crate) number: u32,
    pub(crate) at: i64,
    pub(crate) active_ms: u64,
    pub(crate) duration_ms: u64,
    pub(crate) started: u64,
    pub(crate) completed: u64,
    pub(crate) frustration: f64,
    pub(crate) efficiency: Option<f64>,
    pub(crate) path: Vec<(String, String)>,
    pub(crate) version: String,
    pub(crate) segment: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Screen {
    pub(crate) device: Uuid,
    pub(crate) session: u32,
    pub(crate) at: i64,
    pub(crate) app: String,
    pub(crate) screen: String,
    pub(crate) dwell_ms: u64,
    pub(crate) rage: u64,
    pub(crate) dead: u64,
    pub(crate) exited: bool,
    pub(crate) lost_ms: u64,
    pub(crate) frustration: f64,
    pub(crate) efficiency: Option<f64>,
    pub(crate) version: String,
    pub(crate) segment: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Incident {
    pub(crate) device: Uuid,
    pub(crate) session: u32,
    pub(crate) seq: u64,
    pub(crate) at: i64,
    pub(crate) kind: &'static str,
    pub(crate) app: String,
    pub(crate) screen: String,
    pub(crate) duration_ms: u64,
    pub(crate) version: String,
    pub(crate) segment: String,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Data {
    pub(crate) sessions: Vec<Session>,
    pub(crate) screens: Vec<Screen>,
    pub(crate) incidents: Vec<Incident>,
}

/// The hash of the label of screen `n`.
pub(crate) fn hash(n: u64) -> String {
    format!("{:016x}", (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

impl Data {
    pub(crate) fn make(seed: u64, devices: usize, sessions: usize, days: i64) -> Self {
        let mut random = Random::new(seed);
        let devices: Vec<Uuid> = (0..devices)
            .map(|_| {
                let high = u128::from(random.below(u64::MAX));
                Uuid::from_u128(high << 64 | u128::from(random.below(u64::MAX)))
            })
            .collect();
        let mut data = Self::default();
        let mut seq = 0;
        for number in 0..sessions {
            // Some devices are busier than others, as people are.
            let busy = random
                .below(devices.len() as u64)
                .min(random.below(devices.len() as u64));
            let device = devices[busy as usize];
            let number = number as u32;
            let at = START + random.below((days * DAY) as u64) as i64;
            let version = if at < START + days * DAY / 2 {
                "1.0.0"
            } else {
                "1.1.0"
            }
            .to_owned();
            let segment = ["", "sales", "service"][busy as usize % 3].to_owned();
            let frustration = random.score();
            let efficiency = (random.below(3) > 0).then(|| random.score());
            let mut path = Vec::new();
            let mut seen = HashSet::new();
            for visit in 0..1 + random.below(6) {
                let screen = random.below(18).min(random.below(18));
                let place = (format!("app{}", screen % 3), hash(screen));
                path.push(place.clone());
                if !seen.insert(place.clone()) {
                    continue;
                }
                data.screens.push(Screen {
                    device,
                    session: number,
                    at: at + visit as i64 * 60_000,
                    app: place.0,
                    screen: place.1,
                    dwell_ms: random.below(300_000),
                    rage: random.below(6) / 4,
                    dead: random.below(6) / 3,
                    exited: false,
                    lost_ms: random.below(2) * random.below(9_000),
                    frustration,
                    efficiency,
                    version: version.clone(),
                    segment: segment.clone(),
                });
                for _ in 0..random.below(6) / 3 {
                    seq += 1;
                    data.incidents.push(Incident {
                        device,
                        session: number,
                        seq,
                        at: at + random.below(7_200_000) as i64,
                        kind: KINDS[random.below(6).min(random.below(6)) as usize],
                        app: format!("app{}", screen % 3),
                        screen: hash(screen),
                        duration_ms: random.below(5_000),
                        version: version.clone(),
                        segment: segment.clone(),
                    });
                }
            }
            data.screens.last_mut().unwrap().exited = true;
            path.truncate(2);
            let started = random.below(4);
            data.sessions.push(Session {
                device,
                number,
                at,
                active_ms: random.below(4_000_000),
                duration_ms: 4_000_000 + random.below(1_000_000),
                started,
                completed: random.below(started + 1),
                frustration,
                efficiency,
                path,
                version,
                segment,
            });
        }
        data
    }

    /// Rows by table, as JSON lines for ClickHouse.
    pub(crate) fn rows(&self, org: &str, product: &str) -> [(&'static str, String); 3] {
        let mut seq = 0;
        let mut common = |mut row: Value, device: &Uuid, at: i64, session: u32| {
            seq += 1;
            let fields = row.as_object_mut().unwrap();
            fields.insert("org".into(), json!(org));
            fields.insert("product".into(), json!(product));
            fields.insert("device".into(), json!(device));
            fields.entry("seq").or_insert(json!(1_000_000 + seq));
            fields.insert("session".into(), json!(session));
            fields.insert("received_at".into(), json!((at / 1000) + 60));
            format!("{row}\n")
        };
        let sessions = self.sessions.iter().map(|s| {
            let row = json!({
                "started_at": time(s.at), "ended_at": time(s.at + s.duration_ms as i64),
                "active_ms": s.active_ms, "duration_ms": s.duration_ms,
                "tasks_started": s.started, "tasks_completed": s.completed,
                "frustration": s.frustration, "efficiency": s.efficiency,
                "path_apps": s.path.iter().map(|p| &p.0).collect::<Vec<_>>(),
                "path_screens": s.path.iter().map(|p| &p.1).collect::<Vec<_>>(),
                "version": s.version, "segment": s.segment,
            });
            common(row, &s.device, s.at, s.number)
        });
        let sessions: String = sessions.collect();
        let screens = self.screens.iter().map(|s| {
            let row = json!({
                "at": time(s.at), "app": s.app, "screen": s.screen, "visits": 1,
                "dwell_ms": s.dwell_ms, "rage_clicks": s.rage, "dead_clicks": s.dead,
                "exited": u8::from(s.exited), "time_lost_ms": s.lost_ms,
                "session_frustration": s.frustration, "session_efficiency": s.efficiency,
                "version": s.version, "segment": s.segment,
            });
            common(row, &s.device, s.at, s.session)
        });
        let screens: String = screens.collect();
        let incidents = self.incidents.iter().map(|i| {
            let row = json!({
                "seq": i.seq, "at": time(i.at), "kind": i.kind, "app": i.app, "screen": i.screen,
                "duration_ms": i.duration_ms, "count": 3, "role": "push_button",
                "version": i.version, "segment": i.segment,
            });
            common(row, &i.device, i.at, i.session)
        });
        let incidents: String = incidents.collect();
        [
            ("sessions", sessions),
            ("screens", screens),
            ("incidents", incidents),
        ]
    }
}

fn time(ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(ms).unwrap();
    at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) app: Option<String>,
    pub(crate) screen: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) segment: Option<String>,
    pub(crate) k: u64,
}

/// The parts of a record that filters look at.
pub(crate) struct Facts<'a> {
    at: i64,
    app: Option<(&'a str, &'a str)>,
    version: &'a str,
    segment: &'a str,
    device: Uuid,
}

impl Asked {
    pub(crate) fn query(&self) -> String {
        let time = |ms| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
        let mut query = format!("from={}&to={}", time(self.from), time(self.to));
        for (name, value) in [
            ("app", &self.app),
            ("screen", &self.screen),
            ("version", &self.version),
            ("segment", &self.segment),
        ] {
            if let Some(value) = value {
                query += &format!("&{name}={value}");
            }
        }
        query
    }

    pub(crate) fn previous(&self) -> Self {
        Self {
            from: self.from - (self.to - self.from),
            to: self.from,
            ..self.clone()
        }
    }

    /// Which of the filters a record fails, by name.
    fn fails(&self, facts: &Facts<'_>) -> Vec<&'static str> {
        let other = |asked: &Option<String>, is: &str| asked.as_ref().is_some_and(|a| a != is);
        let (app, screen) = facts.app.unwrap_or_default();
        let all = [
            ("app", other(&self.app, app)),
            ("screen", other(&self.screen, screen)),
            ("version", other(&self.version, facts.version)),
            ("segment", other(&self.segment, facts.segment)),
        ];
        all.into_iter().filter(|f| f.1).map(|f| f.0).collect()
    }

    /// Who stands behind the records that pass, and whether the figure is withheld:
    /// fewer than k, or fewer than k cut off by some of the filters of `additive`.
    fn stand(&self, facts: &[Facts<'_>], additive: &[&'static str]) -> (u64, bool) {
        let within: Vec<(&Facts<'_>, Vec<&str>)> = facts
            .iter()
            .filter(|f| (self.from..self.to).contains(&f.at))
            .map(|f| (f, self.fails(f)))
            .collect();
        let people = |wanted: &dyn Fn(&[&str]) -> bool| {
            let devices = within.iter().filter(|(_, fails)| wanted(fails));
            devices.map(|(f, _)| f.device).collect::<HashSet<_>>().len() as u64
        };
        let few = |people: u64| people > 0 && people < self.k;
        let count = people(&|fails| fails.is_empty());
        let mut hidden = few(count);
        for set in 1u32..1 << additive.len() {
            let dropped: Vec<&str> = (0..additive.len())
                .filter(|i| set >> i & 1 == 1)
                .map(|i| additive[i])
                .collect();
            let others = people(&|fails| {
                !fails.is_empty() && fails.iter().all(|fail| dropped.contains(fail))
            });
            hidden |= count > 0 && self.k > 1 && few(others);
        }
        (count, hidden)
    }

    fn session_facts<'a>(&self, data: &'a Data) -> Vec<Facts<'a>> {
        let by_screen = self.app.is_some() || self.screen.is_some();
        if by_screen {
            let all = self.screen_facts(data);
            let here = |f: &Facts<'_>| {
                let fails = self.fails(f);
                !fails.contains(&"app") && !fails.contains(&"screen")
            };
            all.into_iter().filter(here).collect()
        } else {
            let facts = data.sessions.iter().map(|s| Facts {
                at: s.at,
                app: None,
                version: &s.version,
                segment: &s.segment,
                device: s.device,
            });
            facts.collect()
        }
    }

    fn screen_facts<'a>(&self, data: &'a Data) -> Vec<Facts<'a>> {
        data.screens.iter().map(screen_facts).collect()
    }

    fn passes(&self, facts: &Facts<'_>) -> bool {
        (self.from..self.to).contains(&facts.at) && self.fails(facts).is_empty()
    }

    /// friction index, efficiency, sessions, people, p50 p90 p99 of both scores; null
    /// where withheld.
    pub(crate) fn sessions(&self, data: &Data) -> Option<Sessions> {
        let (people, hidden) = self.stand(&self.session_facts(data), &["version", "segment"]);
        if hidden {
            return None;
        }
        let (mut weighted, mut weight) = (0.0, 0.0);
        let mut scores: BTreeMap<(Uuid, u32), (f64, Option<f64>)> = BTreeMap::new();
        if self.app.is_some() || self.screen.is_some() {
            for s in data
                .screens
                .iter()
                .filter(|s| self.passes(&screen_facts(s)))
            {
                weighted += s.frustration * s.dwell_ms.max(1) as f64;
                weight += s.dwell_ms.max(1) as f64;
                scores.insert((s.device, s.session), (s.frustration, s.efficiency));
            }
        } else {
            let facts = self.session_facts(data);
            for (s, facts) in data.sessions.iter().zip(&facts) {
                if self.passes(facts) {
                    weighted += s.frustration * s.active_ms.max(1) as f64;
                    weight += s.active_ms.max(1) as f64;
                    scores.insert((s.device, s.number), (s.frustration, s.efficiency));
                }
            }
        }
        let efficiency: Vec<f64> = scores.values().filter_map(|s| s.1).collect();
        let mean = efficiency.iter().sum::<f64>() / efficiency.len() as f64;
        Some(Sessions {
            sessions: scores.len() as u64,
            people,
            friction_index: (weight > 0.0).then(|| 100.0 * weighted / weight),
            efficiency: (!efficiency.is_empty()).then_some(mean),
            frustration_quantiles: quantiles(scores.values().map(|s| s.0).collect()),
            efficiency_quantiles: quantiles(efficiency),
        })
    }

    /// Incidents of a kind; null where withheld.
    pub(crate) fn incidents(&self, data: &Data, kind: &str) -> Option<u64> {
        let of_kind: Vec<Facts<'_>> = data
            .incidents
            .iter()
            .filter(|i| i.kind == kind)
            .map(incident_facts)
            .collect();
        let (_, hidden) = self.stand(&of_kind, &["app", "screen", "version", "segment"]);
        let count = of_kind.iter().filter(|f| self.passes(f)).count() as u64;
        (!hidden).then_some(count)
    }

    /// The incidents that may be listed, the latest first, and how many may not.
    pub(crate) fn listed(
        &self,
        data: &Data,
        kind: Option<&str>,
    ) -> (Vec<(i64, String, String)>, u64) {
        let mut groups: HashMap<(&str, &str, &str), Vec<&Incident>> = HashMap::new();
        for i in data
            .incidents
            .iter()
            .filter(|i| kind.is_none_or(|kind| i.kind == kind))
        {
            let fails = self.fails(&incident_facts(i));
            if !fails.contains(&"app") && !fails.contains(&"screen") {
                groups
                    .entry((i.kind, &i.app, &i.screen))
                    .or_default()
                    .push(i);
            }
        }
        let (mut items, mut withheld) = (Vec::new(), 0);
        for group in groups.values() {
            let facts: Vec<Facts<'_>> = group.iter().map(|i| incident_facts(i)).collect();
            let (_, hidden) = self.stand(&facts, &["version", "segment"]);
            for i in group.iter().filter(|i| self.passes(&incident_facts(i))) {
                if hidden {
                    withheld += 1;
                } else {
                    items.push((i.at, i.kind.to_owned(), i.screen.clone()));
                }
            }
        }
        items.sort_by(|a, b| b.cmp(a));
        (items, withheld)
    }

    /// Screens by app and hash, and how many are withheld.
    pub(crate) fn hotspots(&self, data: &Data) -> (HashMap<(String, String), Hotspot>, u64) {
        let mut by_screen: HashMap<(String, String), Vec<&Screen>> = HashMap::new();
        for s in &data.screens {
            let fails = self.fails(&screen_facts(s));
            if !fails.contains(&"app") && !fails.contains(&"screen") {
                let key = (s.app.clone(), s.screen.clone());
                by_screen.entry(key).or_default().push(s);
            }
        }
        let (mut shown, mut withheld) = (HashMap::new(), 0);
        for (key, screens) in by_screen {
            let facts: Vec<Facts<'_>> = screens.iter().map(|s| screen_facts(s)).collect();
            let (people, hidden) = self.stand(&facts, &["version", "segment"]);
            if people == 0 {
                continue;
            }
            if hidden {
                withheld += 1;
                continue;
            }
            let own: Vec<&&Screen> = screens
                .iter()
                .filter(|s| self.passes(&screen_facts(s)))
                .collect();
            let n = own.len() as f64;
            let mean = |of: &dyn Fn(&Screen) -> f64| own.iter().map(|s| of(s)).sum::<f64>() / n;
            let efficiency: Vec<f64> = own.iter().filter_map(|s| s.efficiency).collect();
            shown.insert(
                key,
                Hotspot {
                    sessions: own.len() as u64,
                    people,
                    avg_frustration: mean(&|s| s.frustration),
                    avg_efficiency: (!efficiency.is_empty())
                        .then(|| efficiency.iter().sum::<f64>() / efficiency.len() as f64),
                    rage_click_rate: mean(&|s| s.rage as f64),
                    dead_click_rate: mean(&|s| s.dead as f64),
                    dropoff_rate: mean(&|s| f64::from(u8::from(s.exited))),
                    avg_time_spent_ms: mean(&|s| s.dwell_ms as f64),
                    time_lost_ms: own.iter().map(|s| s.lost_ms).sum(),
                },
            );
        }
        (shown, withheld)
    }

    /// Paths: sessions, people, and how many paths are withheld.
    pub(crate) fn flows(&self, data: &Data) -> (HashMap<Vec<(String, String)>, Flow>, u64) {
        let mut by_path: HashMap<&Vec<(String, String)>, Vec<&Session>> = HashMap::new();
        for s in &data.sessions {
            let here = s.path.iter().any(|(app, screen)| {
                self.app.as_ref().is_none_or(|asked| asked == app)
                    && self.screen.as_ref().is_none_or(|asked| asked == screen)
            });
            if here {
                by_path.entry(&s.path).or_default().push(s);
            }
        }
        let no_screen = Self {
            app: None,
            screen: None,
            ..self.clone()
        };
        let (mut shown, mut withheld) = (HashMap::new(), 0);
        for (path, sessions) in by_path {
            let facts: Vec<Facts<'_>> = sessions.iter().map(|s| session_facts(s)).collect();
            let (people, hidden) = no_screen.stand(&facts, &["version", "segment"]);
            if people == 0 {
                continue;
            }
            if hidden {
                withheld += 1;
                continue;
            }
            let own: Vec<&&Session> = sessions
                .iter()
                .filter(|s| no_screen.passes(&session_facts(s)))
                .collect();
            let n = own.len() as f64;
            let started: u64 = own.iter().map(|s| s.started).sum();
            let completed: u64 = own.iter().map(|s| s.completed).sum();
            shown.insert(
                path.clone(),
                Flow {
                    sessions: own.len() as u64,
                    people,
                    completion_rate: (started > 0).then(|| completed as f64 / started as f64),
                    avg_frustration: own.iter().map(|s| s.frustration).sum::<f64>() / n,
                    avg_duration_ms: own.iter().map(|s| s.duration_ms as f64).sum::<f64>() / n,
                },
            );
        }
        (shown, withheld)
    }
}

fn screen_facts(s: &Screen) -> Facts<'_> {
    Facts {
        at: s.at,
        app: Some((&s.app, &s.screen)),
        version: &s.version,
        segment: &s.segment,
        device: s.device,
    }
}

fn session_facts(s: &Session) -> Facts<'_> {
    Facts {
        at: s.at,
        app: None,
        version: &s.version,
        segment: &s.segment,
        device: s.device,
    }
}

fn incident_facts(i: &Incident) -> Facts<'_> {
    Facts {
        at: i.at,
        app: Some((&i.app, &i.screen)),
        version: &i.version,
        segment: &i.segment,
        device: i.device,
    }
}

#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) sessions: u64,
    pub(crate) people: u64,
    pub(crate) friction_index: Option<f64>,
    pub(crate) efficiency: Option<f64>,
    pub(crate) frustration_quantiles: Option<[f64; 3]>,
    pub(crate) efficiency_quantiles: Option<[f64; 3]>,
}

#[derive(Debug)]
pub(crate) struct Hotspot {
    pub(crate) sessions: u64,
    pub(crate) people: u64,
    pub(crate) avg_frustration: f64,
    pub(crate) avg_efficiency: Option<f64>,
    pub(crate) rage_click_rate: f64,
    pub(crate) dead_click_rate: f64,
    pub(crate) dropoff_rate: f64,
    pub(crate) avg_time_spent_ms: f64,
    pub(crate) time_lost_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) sessions: u64,
    pub(crate) people: u64,
    pub(crate) completion_rate: Option<f64>,
    pub(crate) avg_frustration: f64,
    pub(crate) avg_duration_ms: f64,
}

fn quantiles(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values[(q * values.len() as f64).ceil() as usize - 1];
    (!values.is_empty()).then(|| [at(0.5), at(0.9), at(0.99)])
}
