//! The content that an empty blog starts with, when its operator asks for it.
//!
//! `seed = "true"` under `[plugins.blog.config]` in `covet.toml` asks. It costs a filled blog nothing: only a first page
//! that finds no post at all comes here.

use covet::prelude::*;

use crate::models::{Author, Comment, Post, PostTag, Tag};

struct SeedPost {
    slug: &'static str,
    title: &'static str,
    /// Index into `AUTHORS`.
    author: usize,
    tags: &'static [&'static str],
    likes: i64,
    published: bool,
    summary: &'static str,
    body: &'static str,
    comments: &'static [(&'static str, &'static str)],
}

const AUTHORS: &[(&str, &str, &str)] = &[
    ("ines-mota", "Inês Mota", "Keeps a tide table on the kitchen wall and a boat that leaks a little."),
    ("tomas-varga", "Tomás Varga", "Bakes before dawn, repairs bicycles after lunch."),
    ("ruth-adeyemi", "Ruth Adeyemi", "Draws birds, mostly from memory, mostly wrong on purpose."),
];

const TAGS: &[(&str, &str)] = &[
    ("sea", "Sea"),
    ("birds", "Birds"),
    ("bread", "Bread"),
    ("tools", "Tools"),
    ("walks", "Walks"),
    ("weather", "Weather"),
];

const POSTS: &[SeedPost] = &[
    SeedPost {
        slug: "reading-a-tide-table",
        title: "How to read a tide table",
        author: 0,
        tags: &["sea", "tools"],
        likes: 41,
        published: true,
        summary: "Four numbers a day tell you when the beach is a road and when it is the sea.",
        body: "A tide table is a promise made by the moon and printed by the harbour office. Each day has four lines, two high waters and two low, and beside each a height in metres above a level that almost never runs dry.\n\n\
               Read the heights first, not the hours. A high water of 3.9 after a low of 0.4 is a spring tide: the bay empties to the second rock and fills to the grass. A high of 2.8 after a low of 1.5 is a neap, and you could leave your shoes where they are.\n\n\
               Then use the rule of twelfths. In the six hours between low and high the water rises by one twelfth, two, three, three, two and one. The middle hours do half the work. If you must cross the sand, do not be there in the middle hours.",
        comments: &[
            ("Joan", "The rule of twelfths saved my picnic. Thank you."),
            ("A careful reader", "Is 3.9 > 0.4 always a spring tide, or only <em>here</em>?"),
        ],
    },
    SeedPost {
        slug: "the-curlew-is-two-birds",
        title: "The curlew is two birds",
        author: 2,
        tags: &["birds", "sea", "walks"],
        likes: 27,
        published: true,
        summary: "One you hear in spring, one you see in winter; I have stopped believing that they are the same.",
        body: "On the moor in April it is a sound with no body: a bubbling that climbs until it breaks. You look for it and find sky.\n\n\
               On the mud in December it is a body with no sound: a brown comma, walking, putting a bill as long as my hand into holes that it knows and I do not.\n\n\
               The books say it is one bird, *Numenius arquata*. The books were written indoors.",
        comments: &[("Marek", "I have heard the winter one. Once. It was complaining about a dog.")],
    },
    SeedPost {
        slug: "bread-at-four-degrees",
        title: "Bread at four degrees",
        author: 1,
        tags: &["bread"],
        likes: 63,
        published: true,
        summary: "Let the refrigerator do the night shift; the dough does not mind, and you get to sleep.",
        body: "Mix at nine in the evening: 500 g of flour, 360 g of water, 10 g of salt, 80 g of starter that floats. Fold it four times in the first two hours, as you would fold a letter you do not want to send.\n\n\
               Then put it in the cold, at four degrees, until morning. The yeast nearly stops. The bacteria do not, and they are the ones with taste.\n\n\
               Bake at 240 degrees under a lid for twenty minutes and without it for twenty-five. If it sings when it cools, you did well. If it does not, it is still bread.",
        comments: &[
            ("Ruth", "It sang!"),
            ("Paulo", "Mine hummed. I am counting that."),
            ("Inês", "Works with sea water? (Asking after an accident.)"),
        ],
    },
    SeedPost {
        slug: "seven-spanners",
        title: "Seven spanners",
        author: 1,
        tags: &["tools"],
        likes: 18,
        published: true,
        summary: "You need fewer tools than the shop believes, and better ones than you have.",
        body: "Almost every bolt on a bicycle made since 1980 is 4, 5 or 6 mm hexagonal. Add a 15 mm spanner for the pedals, an 8 and a 10 for old brakes, and a thing with a hook for the bottom bracket, and you have seven.\n\n\
               Buy them one at a time, on the day each is needed, and buy the one that the mechanic in the back of the shop uses. In a year you will own a tool box with a memory.",
        comments: &[],
    },
    SeedPost {
        slug: "fog-has-a-direction",
        title: "Fog has a direction",
        author: 0,
        tags: &["weather", "sea"],
        likes: 35,
        published: true,
        summary: "It does not fall and it does not rise. It arrives, and it can be asked where from.",
        body: "Sea fog is warm air that crossed cold water. So it comes with a wind, a small one, and the wind has a name. Wet a finger before you start the engine.\n\n\
               If it comes from the south-west it is thick and patient and will stay for lunch. From the east it is thin, and the sun takes it by ten. From the north it is not fog at all, it is a cloud that has lost its way.\n\n\
               In any of them: sound one long blast every two minutes, go slowly enough to stop in half of what you can see, and speak quietly. You will hear the other boat before it hears you.",
        comments: &[("Marek", "\"A cloud that has lost its way\" is now what we call our youngest.")],
    },
    SeedPost {
        slug: "walking-to-the-lighthouse",
        title: "Walking to the lighthouse, both ways",
        author: 2,
        tags: &["walks", "sea", "birds"],
        likes: 22,
        published: true,
        summary: "Nine kilometres out along the cliff, nine back, and a different coast each time.",
        body: "Going out you have the sea on your left and the light behind you, and you count gannets. They come past in lines, like people who are late but will not run.\n\n\
               At the lighthouse there is a bench, a locked door, and a sign with the range of the lamp: 22 nautical miles. Eat something.\n\n\
               Coming back the sea is on your right, and every cove that you passed has turned round to look at you. I have done this walk forty times and never seen the same one.",
        comments: &[("Tomás", "Forty times 18 km: you have walked to Lisbon. Was there bread?")],
    },
    SeedPost {
        slug: "what-the-barometer-said",
        title: "What the barometer said",
        author: 0,
        tags: &["weather", "tools"],
        likes: 15,
        published: true,
        summary: "One reading is a number, two are a forecast.",
        body: "Tap the glass, write it down, come back in three hours. A fall of one hectopascal means nothing. Three in three hours means wind by night. Six means: look to your ropes now, while you can still feel your fingers.\n\n\
               My grandfather's barometer has words on its face, from STORMY to VERY DRY. He had painted over all of them but CHANGE. It was, he said, the only one it ever got right.",
        comments: &[],
    },
    SeedPost {
        slug: "a-list-of-small-repairs",
        title: "A list of small repairs",
        author: 1,
        tags: &["tools", "walks"],
        likes: 0,
        published: false,
        summary: "A draft: it has no page until it is published through the API.",
        body: "The gate. The third step. The bell, again. The drawer that opens when a lorry passes.",
        comments: &[],
    },
];

/// The operator asks for seed content.
pub fn wanted() -> bool {
    config::get("seed").is_some_and(|value| value == "true")
}

/// Fills an empty blog, in one transaction; false when it was not empty. Of two requests that come here at once, the
/// second finds what the first stored.
pub async fn fill() -> Result<bool> {
    transaction(async |_tx| {
        if Author::objects().exists().await? {
            return Ok(false);
        }
        let now = Utc::now();
        let mut authors = Vec::new();
        for (slug, name, bio) in AUTHORS {
            let (slug, name, bio) = ((*slug).to_owned(), (*name).to_owned(), (*bio).to_owned());
            authors.push(Author::objects().create(Author { slug, name, bio, ..Author::default() }).await?);
        }
        let mut tags = Vec::new();
        for (slug, name) in TAGS {
            let (slug, name) = ((*slug).to_owned(), (*name).to_owned());
            tags.push(Tag::objects().create(Tag { slug, name, ..Tag::default() }).await?);
        }
        for (age, seed) in (1..).zip(POSTS) {
            let new = Post {
                slug: seed.slug.to_owned(),
                title: seed.title.to_owned(),
                summary: seed.summary.to_owned(),
                body: seed.body.to_owned(),
                author: (&authors[seed.author]).into(),
                published: seed.published,
                published_at: seed.published.then(|| now - Duration::days(4 * age)),
                likes: seed.likes,
                ..Post::default()
            };
            let post = Post::objects().create(new).await?;
            let links = tags.iter().filter(|tag| seed.tags.contains(&tag.slug.as_str()));
            let links = links.map(|tag| PostTag { post: (&post).into(), tag: tag.into(), ..PostTag::default() });
            PostTag::objects().bulk_create(links).await?;
            let comments = seed.comments.iter().map(|(name, text)| Comment {
                post: (&post).into(),
                name: (*name).to_owned(),
                text: (*text).to_owned(),
                ..Comment::default()
            });
            Comment::objects().bulk_create(comments).await?;
        }
        Ok(true)
    })
    .await
}
