//! Models of every field type, and every kind of query.

use std::collections::BTreeMap;

use covet::prelude::*;

/// What insert tests count.
#[derive(Model, Debug)]
pub struct Row {
    pub id: Id<Row>,
    #[field(max_length = 100, index)]
    pub name: String,
    pub value: i64,
    #[field(auto_now_add)]
    pub created_at: DateTime<Utc>,
}

#[derive(Deserialize)]
pub struct NewRow {
    name: String,
    #[serde(default)]
    value: i64,
}

impl NewRow {
    pub fn negative(&self) -> NewRow {
        NewRow { name: self.name.clone(), value: -self.value }
    }
}

impl From<NewRow> for Row {
    fn from(new: NewRow) -> Self {
        Row { id: Id::unsaved(), name: new.name, value: new.value, created_at: Utc::now() }
    }
}

#[post("/rows")]
async fn add_row(Json(new): Json<NewRow>) -> Result<(StatusCode, Json<Row>)> {
    let row = Row::objects().create(new.into()).await?;
    Ok((StatusCode::CREATED, Json(row)))
}

#[post("/rows/bulk")]
async fn add_rows(Json(new): Json<Vec<NewRow>>) -> Result<Json<Vec<Id<Row>>>> {
    Ok(Json(Row::objects().bulk_create(new.into_iter().map(Row::from)).await?))
}

#[get("/rows/count")]
async fn count_rows() -> Result<String> {
    Ok(Row::objects().count().await?.to_string())
}

/// Every value there is.
#[get("/row-values")]
async fn row_values() -> Result<Json<Vec<i64>>> {
    Ok(Json(Row::objects().limit(1_000_000).values(Row::value()).all().await?))
}

#[get("/rows/{id}")]
async fn get_row(id: Id<Row>) -> Result<Json<Row>> {
    Ok(Json(Row::get(id).await?))
}

#[derive(Deserialize)]
struct Page {
    limit: Option<u64>,
    offset: Option<u64>,
    name: Option<String>,
}

#[get("/rows")]
async fn list_rows(Query(page): Query<Page>) -> Result<Json<Vec<Row>>> {
    let mut rows = Row::objects().order_by(Row::id()).limit(page.limit.unwrap_or(100));
    if let Some(offset) = page.offset {
        rows = rows.offset(offset);
    }
    if let Some(name) = page.name {
        rows = rows.filter(Row::name().startswith(name));
    }
    Ok(Json(rows.all().await?))
}

#[post("/rows/{id}/bump")]
async fn bump_row(id: Id<Row>) -> Result<String> {
    let n = Row::objects().filter(Row::id().eq(id)).update(Row::value().add(1)).await?;
    Ok(n.to_string())
}

#[delete("/rows/{id}")]
async fn delete_row(id: Id<Row>) -> Result<String> {
    Ok((!Row::get(id).await?.delete().await?.is_empty()).to_string())
}

#[delete("/rows")]
async fn delete_rows() -> Result<String> {
    Ok(Row::objects().delete().await?.rows().to_string())
}

/// `n` reads by primary key, one after the other: what a query costs, seen from the guest.
#[get("/rows/{id}/read/{n}")]
async fn read_rows(id: i64, n: u32) -> Result<String> {
    let mut sum = 0;
    for _ in 0..n {
        sum += Row::get(id).await?.value;
    }
    Ok(sum.to_string())
}

#[derive(Choices, Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    Calm,
    InLove,
    #[choice("cross!")]
    Cross,
}

fn not_thirteen(value: &i16) -> Result<(), &'static str> {
    if *value == 13 { Err("must not be 13") } else { Ok(()) }
}

/// One field of each type, and each once more as an `Option`.
#[derive(Model, Debug, Clone, Deserialize)]
#[model(table = "all_types", ordering = "-id")]
pub struct AllTypes {
    #[serde(default)]
    pub id: Id<AllTypes>,
    pub boolean: bool,
    #[field(min = -100, max = 100, validate = not_thirteen)]
    pub int16: i16,
    pub int32: i32,
    pub int64: i64,
    pub float32: f32,
    pub float64: f64,
    pub decimal: Decimal,
    #[field(digits = 30, scale = 10)]
    pub long_decimal: Decimal,
    #[field(max_length = 20, min_length = 1)]
    pub varchar: String,
    #[field(default = "none")]
    pub text: String,
    pub binary: Binary,
    pub datetime: DateTime<Utc>,
    pub date: Date,
    pub time: Time,
    #[serde(deserialize_with = "micros")]
    pub duration: Duration,
    pub json: Json<BTreeMap<String, Vec<i64>>>,
    #[field(unique)]
    pub uuid: Uuid,
    #[field(default = Mood::Calm)]
    pub mood: Mood,
    pub email: Email,
    pub url: Url,
    #[field(private)]
    #[serde(default)]
    pub secret: String,
    pub maybe_int: Option<i64>,
    pub maybe_text: Option<String>,
    pub maybe_decimal: Option<Decimal>,
    pub maybe_datetime: Option<DateTime<Utc>>,
    pub maybe_mood: Option<Mood>,
    pub maybe_json: Option<Json<Vec<i64>>>,
    pub maybe_uuid: Option<Uuid>,
    pub maybe_email: Option<Email>,
    #[field(auto_now_add)]
    #[serde(default)]
    pub created: DateTime<Utc>,
    #[field(auto_now)]
    #[serde(default)]
    pub updated: DateTime<Utc>,
}

fn micros<'de, D: covet::serde::Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    Ok(Duration::microseconds(i64::deserialize(d)?))
}

#[post("/all-types")]
async fn create_all(Json(new): Json<AllTypes>) -> Result<(StatusCode, Json<AllTypes>)> {
    let mut all = AllTypes::objects().create(new).await?;
    all.refresh().await?;
    Ok((StatusCode::CREATED, Json(all)))
}

#[get("/all-types/{id}")]
async fn read_all(id: Id<AllTypes>) -> Result<Json<AllTypes>> {
    Ok(Json(AllTypes::get(id).await?))
}

/// Whether each field of a row finds the row by its own value.
#[get("/all-types/{id}/found-by")]
async fn query_all(id: Id<AllTypes>) -> Result<Json<BTreeMap<&'static str, bool>>> {
    let it = AllTypes::get(id).await?;
    let mut found = BTreeMap::new();
    macro_rules! by {
        ($($field:ident: $condition:expr;)*) => {$(
            let rows = AllTypes::objects().filter(AllTypes::id().eq(id)).filter($condition);
            found.insert(stringify!($field), rows.exists().await?);
        )*};
    }
    by! {
        boolean: AllTypes::boolean().eq(it.boolean);
        int16: AllTypes::int16().eq(it.int16);
        int32: AllTypes::int32().is_in([it.int32, 0]);
        int64: AllTypes::int64().gte(it.int64);
        float64: AllTypes::float64().lte(it.float64);
        decimal: AllTypes::decimal().eq(&it.decimal);
        long_decimal: AllTypes::long_decimal().range(it.long_decimal.clone(), it.long_decimal.clone());
        varchar: AllTypes::varchar().iexact(it.varchar.to_ascii_uppercase());
        text: AllTypes::text().contains(&it.text);
        binary: AllTypes::binary().eq(&it.binary);
        datetime: AllTypes::datetime().eq(it.datetime);
        date: AllTypes::date().eq(it.date);
        time: AllTypes::time().eq(it.time);
        duration: AllTypes::duration().eq(it.duration);
        uuid: AllTypes::uuid().eq(it.uuid);
        mood: AllTypes::mood().eq(it.mood);
        email: AllTypes::email().eq(it.email.as_str());
        url: AllTypes::url().startswith("http");
        maybe_int: match it.maybe_int {
            Some(value) => AllTypes::maybe_int().eq(value),
            None => AllTypes::maybe_int().is_null(),
        };
        columns: AllTypes::int64().eq(AllTypes::int64());
    }
    Ok(Json(found))
}

#[derive(Model, Debug, Clone, PartialEq)]
pub struct Country {
    /// A key that the program chooses.
    #[field(primary_key, max_length = 2)]
    pub code: String,
    pub name: String,
}

#[derive(Model, Debug, Clone)]
#[model(ordering = "name", unique(name, country))]
pub struct Author {
    pub id: Id<Author>,
    pub name: String,
    #[field(on_delete = "set_null")]
    pub country: Option<ForeignKey<Country>>,
    #[field(auto_now)]
    pub updated_at: DateTime<Utc>,
}

#[derive(Model, Debug, Clone)]
#[model(ordering = "-views, title", index(author, -published_on))]
pub struct Book {
    pub id: Id<Book>,
    #[field(max_length = 200, unique)]
    pub title: String,
    pub author: ForeignKey<Author>,
    #[field(on_delete = "protect")]
    pub editor: Option<ForeignKey<Author>>,
    pub published_on: Date,
    pub views: i64,
    pub price: Decimal,
}

#[derive(Model, Debug)]
pub struct Tag {
    pub id: Id<Tag>,
    #[field(unique)]
    pub name: String,
}

/// Two countries, two authors, three books, in one transaction.
#[post("/seed")]
async fn seed() -> Result<StatusCode> {
    transaction(async |_| -> Result<()> {
        Book::objects().delete().await?;
        Author::objects().delete().await?;
        Country::objects().delete().await?;
        for (code, name) in [("GB", "United Kingdom"), ("FR", "France")] {
            Country { code: code.into(), name: name.into() }.save().await?;
        }
        let ada = author("Ada", Some("GB".into())).await?;
        let sophie = author("Sophie", None).await?;
        let book = |title: &str, author: &Author, editor: Option<&Author>, year, views| Book {
            id: Id::unsaved(),
            title: title.into(),
            author: author.into(),
            editor: editor.map(ForeignKey::from),
            published_on: Date::from_ymd_opt(year, 6, 15).unwrap_or_default(),
            views,
            price: Decimal::new(1250.into(), 2),
        };
        Book::objects()
            .bulk_create([
                book("Notes", &ada, None, 1843, 30),
                book("Elasticity", &sophie, Some(&ada), 1821, 20),
                book("Numbers", &sophie, None, 1819, 20),
            ])
            .await?;
        Ok(())
    })
    .await?;
    Ok(StatusCode::CREATED)
}

async fn author(name: &str, country: Option<ForeignKey<Country>>) -> Result<Author> {
    let new = Author { id: Id::unsaved(), name: name.into(), country, updated_at: Utc::now() };
    Author::objects().create(new).await
}

/// Books with authors and their countries, in one query.
#[get("/books")]
async fn books() -> Result<Json<Vec<Book>>> {
    let books = Book::objects().select_related((Book::author().then(Author::country()), Book::editor()));
    Ok(Json(books.all().await?))
}

#[get("/books/{title}")]
async fn book(title: String) -> Result<Json<(String, String)>> {
    let mut book = Book::objects().get(Book::title().eq(title)).await?;
    let title = book.title.clone();
    Ok(Json((title, book.author.load().await?.name.clone())))
}

#[get("/book-titles")]
async fn book_titles() -> Result<Json<Vec<(String, String, Option<String>)>>> {
    let country = Book::author().then(Author::country()).to(Country::name());
    let rows = Book::objects().order_by((Book::author().to(Author::name()), Book::title().desc())).values((
        Book::title(),
        Book::author().to(Author::name()),
        country,
    ));
    Ok(Json(rows.all().await?))
}

#[get("/partial-books")]
async fn partial_books() -> Result<Json<Vec<Partial<Book>>>> {
    let columns = (Book::title(), Book::price(), Book::published_on(), Book::author().to(Author::name()));
    Ok(Json(Book::objects().only(columns).all().await?))
}

/// A field that was not fetched is an error that names it.
#[get("/deferred")]
async fn deferred() -> Result<String> {
    let book = Book::objects().only(Book::title()).first().await?;
    let book = book.ok_or_else(|| Error::not_found("book"))?;
    match book.get(Book::views()) {
        Ok(views) => Ok(format!("fetched {views}")),
        Err(error) => Ok(format!("{error}; whole: {}", book.load().await?.views)),
    }
}

/// The titles that each look-up finds.
#[get("/lookups")]
async fn lookups() -> Result<Json<BTreeMap<&'static str, Vec<String>>>> {
    let mut found = BTreeMap::new();
    macro_rules! titles {
        ($($name:ident: $condition:expr;)*) => {$(
            let rows = Book::objects().filter($condition).order_by(Book::title()).values(Book::title());
            found.insert(stringify!($name), rows.all().await?);
        )*};
    }
    titles! {
        eq: Book::title().eq("Notes");
        ne: Book::title().ne("Notes");
        is_in: Book::title().is_in(["Notes", "Numbers"]);
        in_nothing: Book::id().is_in(Vec::<i64>::new());
        is_null: Book::editor().is_null();
        is_not_null: Book::editor().is_not_null();
        gt: Book::views().gt(20);
        lte: Book::views().lte(20);
        range: Book::views().range(10, 25);
        iexact: Book::title().iexact("NOTES");
        contains: Book::title().contains("um");
        icontains: Book::title().icontains("N");
        startswith: Book::title().startswith("N");
        istartswith: Book::title().istartswith("n");
        endswith: Book::title().endswith("s");
        iendswith: Book::title().iendswith("Y");
        regex: Book::title().regex("^N.*s$");
        iregex: Book::title().iregex("^n.*S$");
        year: Book::published_on().year(1843);
        month: Book::published_on().month(6);
        day: Book::published_on().day(15);
        week_day: Book::published_on().week_day(4);
        hour: Book::author().to(Author::updated_at()).hour(25);
        and: Book::views().eq(20) & Book::title().startswith("E");
        or: Book::title().eq("Notes") | Book::title().eq("Numbers");
        not: !Book::title().eq("Notes");
        not_null: !Book::editor().to(Author::name()).eq("Ada");
        related: Book::author().to(Author::name()).eq("Ada");
        nested: Book::author().then(Author::country()).to(Country::name()).startswith("United");
        column: Book::author().eq(Book::author());
        decimal: Book::price().eq(Decimal::new(125.into(), 1));
        foreign_key: Book::author().eq(Author::objects().get(Author::name().eq("Ada")).await?.id);
    }
    Ok(Json(found))
}

/// `true` when it was new.
#[post("/tags/{name}")]
async fn tag(name: String) -> Result<Json<(Tag, bool)>> {
    let new = Tag { id: Id::unsaved(), name: name.clone() };
    Ok(Json(Tag::objects().get_or_create(Tag::name().eq(name), new).await?))
}

#[post("/tags")]
async fn bulk_tags(Json(names): Json<Vec<String>>) -> Result<Json<Vec<Option<Id<Tag>>>>> {
    let tags = names.into_iter().map(|name| Tag { id: Id::unsaved(), name });
    Ok(Json(Tag::objects().bulk_create_ignoring_conflicts(tags).await?))
}

/// Saves one field; the others keep what the database has.
#[put("/authors/{name}")]
async fn save_author(name: String, body: String) -> Result<Json<Author>> {
    let mut author = Author::objects().get(Author::name().eq(name)).await?;
    author.name = body;
    author.country = None;
    author.save_fields(Author::name()).await?;
    author.refresh().await?;
    Ok(Json(author))
}

#[get("/countries/{code}")]
async fn country(code: String) -> Result<Json<Country>> {
    Ok(Json(Country::get(code).await?))
}

#[get("/cached-books")]
async fn cached_books() -> Result<String> {
    let books = Book::objects().filter(Book::views().gte(20)).cache("books", minutes(1)).all().await?;
    Ok(books.len().to_string())
}
