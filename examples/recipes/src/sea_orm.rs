//! Loaders over a connection or a transaction of `SeaORM`.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use asynq::{BoxError, Loader, request};
use sea_orm::ActiveValue::{Set, Unchanged};
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseConnection, QueryOrder, TransactionTrait};

use self::{album::Entity as Album, artist::Entity as Artist};
use crate::music::{Music, Page, grouped};

pub mod artist {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "artist")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub enum Relation {
        #[sea_orm(has_many = "super::album::Entity")]
        Album,
    }

    impl Related<super::album::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Album.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod album {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "album")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub title: String,
        pub artist_id: i64,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::artist::Entity",
            from = "Column::ArtistId",
            to = "super::artist::Column::Id"
        )]
        Artist,
    }

    impl Related<super::artist::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Artist.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub async fn slow_page(database: &DatabaseConnection, id: i64) -> Result<Page, DbErr> {
    let artist = Artist::find_by_id(id).one(database).await?;
    let artist = artist.ok_or_else(|| DbErr::RecordNotFound(format!("artist {id}")))?;
    let albums = artist.find_related(Album).order_by_asc(album::Column::Id).all(database).await?;
    let albums = albums.into_iter().map(|album| album.title).collect();
    Ok(Page { name: artist.name, albums })
}

pub async fn slow_pages(database: &DatabaseConnection, ids: &[i64]) -> Result<Vec<Page>, DbErr> {
    let mut pages = Vec::new();
    for &id in ids {
        pages.push(slow_page(database, id).await?); // 2 statements for each artist
    }
    Ok(pages)
}

/// The loaders of a `DatabaseConnection` or a `DatabaseTransaction`, as long as it lives.
pub fn music(database: &Arc<impl ConnectionTrait + Send + 'static>) -> Music {
    Music { name: name(Arc::downgrade(database)), albums: albums(Arc::downgrade(database)) }
}

fn name(database: Weak<impl ConnectionTrait + Send + 'static>) -> Loader<i64, String> {
    Loader::new(move |ids: Vec<i64>| {
        let database = database.upgrade().ok_or("the transaction has ended");
        async move {
            let select = Artist::find().filter(artist::Column::Id.is_in(ids));
            let rows = select.all(&*database?).await?.into_iter();
            Ok::<HashMap<_, _>, BoxError>(rows.map(|artist| (artist.id, artist.name)).collect())
        }
    })
    .name("name")
}

fn albums(database: Weak<impl ConnectionTrait + Send + 'static>) -> Loader<i64, Vec<String>> {
    Loader::new(move |ids: Vec<i64>| {
        let database = database.upgrade().ok_or("the transaction has ended");
        async move {
            let select = Album::find().filter(album::Column::ArtistId.is_in(ids));
            let rows = select.order_by_asc(album::Column::Id).all(&*database?).await?.into_iter();
            let rows = rows.map(|album| (album.artist_id, album.title)).collect();
            Ok::<_, BoxError>(grouped(rows))
        }
    })
    .name("albums")
    .default_with(|_| Vec::new())
}

/// Renames an artist, and returns the name that its transaction then sees.
pub async fn rename(
    database: &DatabaseConnection,
    id: i64,
    name: &str,
) -> Result<String, BoxError> {
    let transaction = Arc::new(database.begin().await?);
    let artist = artist::ActiveModel { id: Unchanged(id), name: Set(name.to_owned()) };
    artist.update(&*transaction).await?;
    let seen = request(music(&transaction).name.load(id)).await?;
    let transaction = Arc::into_inner(transaction).ok_or("a load is in flight")?;
    transaction.commit().await?;
    Ok(seen)
}
