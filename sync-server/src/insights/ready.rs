//! A request whose parameters are checked and whose slices are at hand.

use std::sync::Arc;

use http::Uri;
use snag_warehouse::Query;

use super::answer::Frame;
use super::fold::{Fold, Part, Selection};
use super::load;
use super::params::Asked;
use super::period::Piece;
use super::slice::Dictionary;
use super::store::Slices;
use crate::auth::Actor;
use crate::labels::Texts;
use crate::orgs::Org;
use crate::{ApiError, AppState};

/// A request ready to be folded.
pub(super) struct Ready {
    asked: Asked,
    org: Arc<Org>,
    texts: Texts,
    /// What the screen filter means; see [`Asked::screen_hashes`].
    screens: Option<Vec<String>>,
    slices: Slices,
}

impl Ready {
    /// Checks the parameters and fetches slices of the period and the one before.
    pub(super) async fn new(
        state: &AppState,
        actor: &Actor,
        uri: &Uri,
        more: &[&str],
    ) -> Result<Self, ApiError> {
        let asked = Asked::read(uri, more, state.now())?;
        let periods = [asked.period.pieces(), asked.period.previous().pieces()];
        Self::of(state, actor, asked, &periods).await
    }

    /// Checks the parameters and fetches slices of the period alone.
    pub(super) async fn without_previous(
        state: &AppState,
        actor: &Actor,
        uri: &Uri,
        more: &[&str],
    ) -> Result<Self, ApiError> {
        let asked = Asked::read(uri, more, state.now())?;
        let periods = [asked.period.pieces()];
        Self::of(state, actor, asked, &periods).await
    }

    /// Checks the parameters of a request that ClickHouse answers by itself.
    pub(super) async fn without_slices(
        state: &AppState,
        actor: &Actor,
        uri: &Uri,
        more: &[&str],
    ) -> Result<Self, ApiError> {
        let asked = Asked::read(uri, more, state.now())?;
        let texts = state.labels.texts(state, &actor.org).await?;
        Ok(Self {
            screens: asked.screen_hashes(&texts),
            org: Arc::clone(&actor.org),
            asked,
            texts,
            slices: Slices::default(),
        })
    }

    async fn of(
        state: &AppState,
        actor: &Actor,
        asked: Asked,
        periods: &[Vec<Piece>],
    ) -> Result<Self, ApiError> {
        let (texts, slices) = futures_util::future::try_join(
            state.labels.texts(state, &actor.org),
            state
                .insights
                .slices(&state.warehouse, &actor.org.key, &asked.product, periods),
        )
        .await?;
        Ok(Self {
            screens: asked.screen_hashes(&texts),
            org: Arc::clone(&actor.org),
            asked,
            texts,
            slices,
        })
    }

    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    pub(super) fn k(&self) -> u32 {
        self.org.k
    }

    pub(super) fn frame(&self) -> Frame {
        Frame::new(&self.asked, self.org.k)
    }

    /// Binds what the statements on single records have in common: whose records, when,
    /// and the filters.
    pub(super) fn bind(&self, query: Query) -> Query {
        let asked = &self.asked;
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        query
            .param("org", &self.org.key)
            .param("product", &asked.product)
            .param("k", self.org.k)
            .param("from_ms", asked.period.from_ms)
            .param("to_ms", asked.period.to_ms)
            .param("received_s", load::received_since_s(asked.period.from_ms))
            .param("app", word(&asked.app))
            .param("version", word(&asked.version))
            .param("segment", word(&asked.segment))
            .param("any_screen", u8::from(self.screens.is_none()))
            .param_strings("screens", self.screens.as_deref().unwrap_or_default())
    }

    /// The period's slices and the previous one's.
    pub(super) fn periods(&self) -> [&[Part]; 2] {
        let part = |place: usize| {
            self.slices
                .periods
                .get(place)
                .map_or(&[][..], Vec::as_slice)
        };
        [part(0), part(1)]
    }

    /// A label's text where it is readable, else its hash.
    pub(super) fn readable<'a>(&'a self, hash: &'a str) -> &'a str {
        self.texts.get_hex(hash).unwrap_or(hash)
    }

    /// Folds on a thread of its own: a year takes longer than a request should keep
    /// others waiting.
    pub(super) async fn fold<R: Send + 'static>(
        self,
        fold: impl FnOnce(&Self, &Fold<'_>, &Dictionary) -> R + Send + 'static,
    ) -> Result<R, ApiError> {
        let folding = tokio::task::spawn_blocking(move || {
            let dictionary = self.slices.cube.dictionary.read();
            let passes = |hash: &str| {
                let wanted = self.screens.as_deref().unwrap_or_default();
                wanted.iter().any(|wanted| wanted == hash)
            };
            let selection = Selection::new(
                &dictionary,
                self.asked.app.as_deref(),
                self.screens.is_some().then_some(&passes),
                self.asked.version.as_deref(),
                self.asked.segment.as_deref(),
            );
            let engine = Fold::new(&dictionary, &selection, self.org.k);
            fold(&self, &engine, &dictionary)
        });
        folding.await.map_err(|error| ApiError::internal(&error))
    }
}
