//! Single questions to a program.

use atspi::StateSet;
use atspi::zbus::zvariant::{DynamicType, OwnedObjectPath, OwnedValue, Type};
use serde::de::DeserializeOwned;

use super::{A11y, ACCESSIBLE, Failure, MAX_CHILDREN, MAX_DEPTH, Object, ROOT};

impl A11y {
    pub(super) async fn children(&self, object: &Object) -> Result<Vec<Object>, Failure> {
        let children: Vec<(String, OwnedObjectPath)> =
            self.call(object, ACCESSIBLE, "GetChildren", &()).await?;
        Ok(children
            .into_iter()
            .take(MAX_CHILDREN)
            .filter_map(Object::new)
            .collect())
    }

    pub(super) async fn states(&self, object: &Object) -> Result<StateSet, Failure> {
        self.call(object, ACCESSIBLE, "GetState", &()).await
    }

    pub(super) async fn parent(&self, object: &Object) -> Result<Option<Object>, Failure> {
        let value = self.property(object, "Parent").await?;
        Ok(<(String, OwnedObjectPath)>::try_from(value)
            .ok()
            .and_then(Object::new))
    }

    pub(super) async fn name(&self, object: &Object) -> Result<String, Failure> {
        Ok(String::try_from(self.property(object, "Name").await?).unwrap_or_default())
    }

    pub(super) async fn place(&self, object: &Object) -> Result<Vec<i32>, Failure> {
        let mut place = Vec::new();
        let mut current = object.clone();
        for _ in 0..MAX_DEPTH {
            if current.path == ROOT {
                break;
            }
            place.push(
                self.call(&current, ACCESSIBLE, "GetIndexInParent", &())
                    .await?,
            );
            match self.parent(&current).await? {
                Some(parent) => current = parent,
                None => break,
            }
        }
        // The window's own index depends on which windows are open: a second window of a kind has the same elements.
        place.pop();
        place.reverse();
        Ok(place)
    }

    pub(super) async fn property(
        &self,
        object: &Object,
        name: &str,
    ) -> Result<OwnedValue, Failure> {
        self.call(
            object,
            "org.freedesktop.DBus.Properties",
            "Get",
            &(ACCESSIBLE, name),
        )
        .await
    }

    pub(super) async fn call<B, R>(
        &self,
        object: &Object,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<R, Failure>
    where
        B: serde::Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        let reply = self
            .connection
            .call_method(
                Some(object.bus.as_str()),
                object.path.as_str(),
                Some(interface),
                method,
                body,
            )
            .await?;
        reply.body().deserialize()
    }
}
