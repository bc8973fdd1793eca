//! Reads what capture and programs say, and feeds the pipeline with it.

use std::sync::atomic::Ordering;

use snag_capture::{Capture, CaptureItem};
use snag_core::{Input, InputKind, KeyClass};

use super::{Live, now_ms};
use crate::convert;
use crate::host::error::HostError;
use crate::pipeline::Pipeline;

impl Live {
    /// Reads all that is there, up to what is stored at once, and settles what is over.
    ///
    /// # Errors
    /// Capture ended.
    pub(super) fn read(&mut self, open: bool) -> Result<(), HostError> {
        while let Some(item) = self.capture.as_mut().and_then(Capture::try_next) {
            self.times.something_happened();
            match item {
                CaptureItem::Input(input) => self.happened(&input),
                CaptureItem::Label(label) => self.shared.labels.note(convert::label(label)),
                CaptureItem::Lost { reason } => return Err(HostError::CaptureLost(reason)),
            }
            if self.is_stored_at_once() {
                return Ok(());
            }
        }
        let horizon_ms = self.horizon_ms();
        self.feed_said(horizon_ms);
        if !open {
            // The steps before a pause are not offered after it.
            self.shared.trail.lock().clear();
        } else if let Some(pipeline) = &mut self.pipeline {
            pipeline.advance(horizon_ms);
        }
        Ok(())
    }

    /// Something happened. What came after a pause was asked for doesn't count.
    pub(super) fn happened(&mut self, input: &Input) {
        self.feed_said(input.t);
        if !self.window.takes(input.t) {
            return;
        }
        self.note_key(input);
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.input(input);
        }
    }

    /// Up to when everything that happened was read, in milliseconds since 1970.
    pub(super) fn horizon_ms(&self) -> u64 {
        match &self.capture {
            Some(capture) => capture.horizon(),
            None => now_ms(),
        }
    }

    /// Feeds what programs said up to a moment, so that times don't go back.
    pub(super) fn feed_said(&mut self, until_ms: u64) {
        while self.said.front().is_some_and(|input| input.t <= until_ms) {
            // It was taken while the gate was open.
            if let (Some(input), Some(pipeline)) = (self.said.pop_front(), &mut self.pipeline)
                && let Some(input) = placed(input, pipeline)
            {
                pipeline.input(&input);
            }
        }
    }

    fn note_key(&self, input: &Input) {
        if let InputKind::Key { class } = input.kind
            && class != KeyClass::Modifier
        {
            self.shared.last_key_ms.store(input.t, Ordering::Relaxed);
        }
    }
}

/// What a program said about the place that has the focus: a screen of it, say.
/// None where no program is known that it could be a screen of: nothing is made up.
fn placed(mut input: Input, pipeline: &Pipeline) -> Option<Input> {
    if let InputKind::Focus { app, .. } = &mut input.kind
        && app.is_empty()
    {
        *app = pipeline.screen()?.app.to_string();
    }
    Some(input)
}
